"""The states of a run's migrations by their names, with a list of those that were replaced since somebody looked.

States are replaced and never changed; so who keeps something that follows from them need not compare ten thousand to
find the one that is another now.
"""

from __future__ import annotations

from typing import Any, Self

from orchestrator.model.state import MigrationState


class States(dict[str, MigrationState]):
    """A mapping that knows which of its entries are others than when :meth:`watch` was called last."""

    __slots__ = ("_changed",)

    def __init__(self, *given: Any, **named: MigrationState) -> None:
        super().__init__(*given, **named)
        self._changed: set[str] = set()

    def __reduce__(self) -> tuple[type[States], tuple[dict[str, MigrationState]]]:
        return States, (dict(self),)

    def watch(self) -> set[str]:
        """Return a set that holds, from now on, every name whose state was put in, replaced or taken out.

        Whoever has it empties it. It is kept up until somebody else begins to watch: see :meth:`is_watched_by`.
        """
        self._changed = set()
        return self._changed

    def is_watched_by(self, changed: set[str]) -> bool:
        """Whether this set is the one that is kept up."""
        return changed is self._changed

    def __setitem__(self, id_: str, state: MigrationState) -> None:
        self._changed.add(id_)
        super().__setitem__(id_, state)

    def __delitem__(self, id_: str) -> None:
        self._changed.add(id_)
        super().__delitem__(id_)

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc,override]
        self.update(other)
        return self

    def update(self, *given: Any, **named: MigrationState) -> None:
        """Put in what another mapping has."""
        for id_, state in dict(*given, **named).items():
            self[id_] = state

    def setdefault(self, id_: str, state: MigrationState | None = None) -> Any:
        """Return the state of a name; put this one in where there is none."""
        if id_ not in self and state is not None:
            self[id_] = state
        return self.get(id_)

    def pop(self, id_: str, *default: Any) -> Any:
        """Take a name out, and return its state."""
        self._changed.add(id_)
        return super().pop(id_, *default)

    def popitem(self) -> tuple[str, MigrationState]:
        """Take the last name out."""
        id_, state = super().popitem()
        self._changed.add(id_)
        return id_, state

    def clear(self) -> None:
        """Take all out."""
        self._changed.update(self)
        super().clear()
