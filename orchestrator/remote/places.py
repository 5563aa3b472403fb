"""Who gets one of the places that there are for hosts. Pure: who asks says what time it is.

A call to a host takes a place and gives it back. A host that does not answer would keep its place for as long as a
timeout lasts, and many of them would keep all, so that nothing else moved. So a call that has been under way for
:data:`LATE` seconds holds no place any longer: it stands aside, and another host may begin. Only as many as there are
places can stand aside; what is late beyond that holds its place like any other. Where something is late, a quarter of
the places is kept for hosts whose last call ended in time; hosts whose last call was late and came to nothing share
another quarter until they answer once.

So, whatever hangs: a host that answers gets its turn; hosts that nobody has heard of yet are tried as long as fewer
hang than there are places; and there are never more calls in the air than twice the number of places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LATE = 5.0
"""Seconds after which a call stands aside. A warm read takes some hundredths, a new session some tenths of one."""


@dataclass(frozen=True)
class _Taken:
    host: str
    since: float


@dataclass
class Places:
    """The places for hosts, of which there are *number*."""

    number: int
    _taken: dict[object, _Taken] = field(default_factory=dict)
    _prompt: set[str] = field(default_factory=set)
    _hanging: set[str] = field(default_factory=set)

    @property
    def share(self) -> int:
        """How many are kept for hosts that answer, and how many hosts that hang may have."""
        return max(1, self.number // 4)

    def free(self, host: str, now: float) -> bool:
        """Say whether a call to *host* may begin."""
        late = sum(now - one.since >= LATE for one in self._taken.values())
        held = len(self._taken) - min(late, self.number)
        if host in self._hanging:
            hanging = sum(one.host in self._hanging for one in self._taken.values())
            return hanging < self.share and held < self._open_to_all(late)
        return held < (self.number if host in self._prompt else self._open_to_all(late))

    def _open_to_all(self, late: int) -> int:
        return self.number - self.share if late and self.number > 1 else self.number

    def hangs(self, host: str, now: float) -> bool:
        """Say whether the last call to *host* came to nothing and was late, or the first one is late."""
        if host in self._prompt:
            return False
        return host in self._hanging or any(
            one.host == host and now - one.since >= LATE for one in self._taken.values()
        )

    def take(self, call: object, host: str, now: float) -> None:
        """Give a call the place that is free."""
        self._taken[call] = _Taken(host, now)

    def leave(self, call: object, now: float, *, answered: bool = True) -> None:
        """Take the place of a call back; *answered*: its host did what it was asked, or said why not.

        A call that never had one gives none back.
        """
        taken = self._taken.pop(call, None)
        if taken is None:
            return
        if answered:
            self._prompt.add(taken.host)
            self._hanging.discard(taken.host)
        elif now - taken.since >= LATE:
            self._hanging.add(taken.host)
            self._prompt.discard(taken.host)

    def cancel(self, call: object) -> None:
        """Take the place of a call back that was never made: nothing was learned of its host."""
        self._taken.pop(call, None)
