"""A journal with a mirror: what is appended is on both before :meth:`MirroredJournal.append` returns.

The journal first, the mirror second, and nothing is sent before both. So whatever was sent is in the mirror, and a
crash between the two leaves a mirror that is a little behind, never one that is ahead: the next append, or the next
opening, catches it up, together with what other processes appended without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from orchestrator.journal.errors import MirrorTaken, MirrorUnusable
from orchestrator.journal.mirror import Mirror, Strangers
from orchestrator.journal.protocol import Entry, Journal, Lease, Row, Verdict


class MirroredJournal:
    """A :class:`~orchestrator.journal.protocol.Journal` whose rows are all in *mirror* too, from the beginning.

    Closing it closes *journal*.

    Raises:
        MirrorUnusable: the mirror has rows that the journal does not, or cannot be written.
    """

    def __init__(self, journal: Journal, mirror: Mirror) -> None:
        self._journal, self._mirror = journal, mirror
        self._turn = Lock()
        with self._mirror.alone():
            self._catch_up()

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """See :meth:`Journal.append <orchestrator.journal.protocol.Journal.append>`.

        Raises:
            MirrorTaken: another runner has continued the mirror. Nothing was written.
            MirrorUnusable: the mirror could not be written; the rows may be in the journal.
        """
        with self._turn, self._mirror.alone():
            with _as_taken(self._mirror, lease):
                self._mirror.agree(self._journal)
            head = self._journal.append(entries, expected=expected, lease=lease)
            if entries:
                self._mirror.extend(self._journal)
        return head

    def head(self) -> int:
        """See :meth:`Journal.head <orchestrator.journal.protocol.Journal.head>`."""
        return self._journal.head()

    def read(self, after: int = 0, run: str | None = None) -> Iterator[Row]:
        """See :meth:`Journal.read <orchestrator.journal.protocol.Journal.read>`."""
        return self._journal.read(after, run)

    def latest(self, kind: str, run: str | None = None, within: int = 20_000) -> Row | None:
        """See :meth:`Journal.latest <orchestrator.journal.protocol.Journal.latest>`."""
        return self._journal.latest(kind, run, within)

    def before_last(self, rows: int, run: str | None = None) -> int:
        """See :meth:`Journal.before_last <orchestrator.journal.protocol.Journal.before_last>`."""
        return self._journal.before_last(rows, run)

    def runs(self) -> list[str]:
        """See :meth:`Journal.runs <orchestrator.journal.protocol.Journal.runs>`."""
        return self._journal.runs()

    def acquire(self, holder: str) -> Lease:
        """See :meth:`Journal.acquire <orchestrator.journal.protocol.Journal.acquire>`."""
        return self._journal.acquire(holder)

    def release(self, lease: Lease) -> None:
        """See :meth:`Journal.release <orchestrator.journal.protocol.Journal.release>`."""
        self._journal.release(lease)

    def holder(self) -> Lease | None:
        """See :meth:`Journal.holder <orchestrator.journal.protocol.Journal.holder>`."""
        return self._journal.holder()

    def verify(self, witness: Callable[[Row], object] | None = None) -> Verdict:
        """See :meth:`Journal.verify <orchestrator.journal.protocol.Journal.verify>`."""
        return self._journal.verify(witness)

    def wait(self, seconds: float) -> None:
        """See :meth:`Journal.wait <orchestrator.journal.protocol.Journal.wait>`."""
        self._journal.wait(seconds)

    def close(self) -> None:
        """See :meth:`Journal.close <orchestrator.journal.protocol.Journal.close>`."""
        self._journal.close()

    def _catch_up(self) -> None:
        try:
            self._mirror.agree(self._journal)
        except Strangers as strangers:
            if strangers.rows > strangers.standing.seq:
                raise refusal(self._mirror, strangers) from strangers
            # A line that was never finished, of a row that this journal did not come to have: nobody acted on it.
            self._mirror.cut_off(strangers.standing)
        self._mirror.extend(self._journal)


@contextmanager
def _as_taken(mirror: Mirror, lease: Lease | None) -> Iterator[None]:
    """What somebody else wrote to a mirror while it was open is the work of the runner that replaced this one."""
    try:
        yield
    except Strangers as strangers:
        if lease is None:
            raise refusal(mirror, strangers) from strangers
        raise MirrorTaken(mirror.path, lease.epoch, strangers.epoch, strangers.rows) from strangers


def refusal(mirror: Mirror, strangers: Strangers) -> MirrorUnusable:
    """Return why a mirror is not, or not any more, that of the journal it was compared with."""
    ours, theirs = strangers.standing.seq, strangers.rows
    if strangers.journal_ended:
        return MirrorUnusable(
            mirror.path,
            f"it goes on to row {theirs}, and the journal ends at row {ours}: the journal is an older copy, or was "
            "begun anew, or another runner has taken the run over from the mirror",
            "Nothing was written. Only the newest may go on. If no other runner has the run, move this journal away "
            f"and rebuild it: `dmsa journal restore --from {mirror.path}`",
        )
    return MirrorUnusable(
        mirror.path,
        f"its row {ours + 1} is not the journal's: it is the mirror of another journal, another runner has taken the "
        "run over from it, or it is damaged",
        f"Nothing was written. `dmsa journal verify --mirror {mirror.path}` tells which; for another journal, name "
        "another file with --mirror",
    )
