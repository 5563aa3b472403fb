"""Who uses a dMSA: keys that were issued and fetched, and tickets that it was granted."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.expectation.history import SKEW, History
from orchestrator.expectation.incidents import Incidents
from orchestrator.expectation.names import short
from orchestrator.expectation.numbers import KERBEROS, KEY_ISSUED, TICKETS
from orchestrator.expectation.ours import Object, Ours
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.strangers import Strangers
from orchestrator.steps.effects import On


@dataclass(frozen=True)
class Use:
    """Judges events of use; what only hosts of the migration do is explained. ``told``: None without a journal."""

    ours: Ours
    strangers: Strangers
    incidents: Incidents
    told: History | None

    def judge(self, event: SeenEvent) -> bool | None:
        """Return whether an event is explained; None where it is none of ours. What is not is noted."""
        if event.id in KERBEROS:
            return self._client(event)
        if event.id == KEY_ISSUED:
            return self._key_issued(event)
        assert event.id in TICKETS
        name = event.target.partition("@")[0]
        object_ = self.ours.account(name if name.endswith("$") else "", event.get("targetsid"))
        if object_ is None or object_.on is not On.DMSA:
            return None
        return self._from_host(event, object_, event.get("ipaddress"))

    def _client(self, event: SeenEvent) -> bool | None:
        said = " ".join((event.text, *event.data.values()))
        object_ = self.ours.mentioned(said)
        ids = self.ours.by_short_name.get(short(event.computer), frozenset())
        if object_ is None:
            nameless = not event.text and not ids
            if nameless and event.id != 307:
                self.incidents.add(
                    "unknown-host", None, event.computer, event, f"event {event.id}", "it does not say of which dMSA"
                )
                return False
            return True if ids else None
        if object_.migration in ids:
            return True
        why = f"{event.computer} is no host of {object_.migration}"
        self.incidents.add("unknown-host", object_.migration, event.computer, event, f"event {event.id}", why)
        return False

    def _key_issued(self, event: SeenEvent) -> bool | None:
        said = "\n".join((event.text, *event.data.values()))
        object_ = self.ours.mentioned(said)
        if object_ is None:
            return self.incidents.foreign_key(event, said)
        if self.told is not None and not self._begun(event, self.told, object_):
            self.incidents.add(
                "unknown-host", object_.migration, self.ours.pairs[object_.migration].dmsa, event,
                "its keys were issued", "its migration had not been started by then",
            )  # fmt: skip
            return False
        return self._from_host(event, object_, self.incidents.caller_address(said))

    @staticmethod
    def _begun(event: SeenEvent, told: History, object_: Object) -> bool:
        assert event.at is not None
        return any(begin - SKEW <= event.at for begin, _ in told.registering.get(object_.migration, []))

    def _from_host(self, event: SeenEvent, object_: Object, address: str) -> bool:
        why = self.strangers.at(address, object_.migration) if address else ""
        if why:
            dmsa = self.ours.pairs[object_.migration].dmsa
            self.incidents.add("unknown-host", object_.migration, dmsa, event, f"event {event.id} from {address}", why)
        return not why
