"""Carrying out the weather that happens by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.lab.estate import weather_spec as w

if TYPE_CHECKING:
    from orchestrator.lab.estate.estate import Estate


def carry_out(estate: Estate, event: w.Event) -> None:
    """Let *event* happen now. What it is to befall but is not there any more is left alone."""
    match event:
        case w.HostDown():
            estate.take_down(estate.machine(event.host), estate.now + event.lasts)
        case w.Partition():
            machine = estate.machine(event.host)
            estate.directory.cut_off(machine.name.lower(), estate.now + event.lasts)
        case w.ServiceBroken():
            estate.machine(event.host).services[event.service.lower()].broken += event.times
        case w.HostRegisters():
            estate.authority.log_on(estate.machine(event.host), event.account)
        case w.RegistryChanged():
            estate.machine(event.host).kerberos = event.value
            if event.every is not None:
                estate.clock.after(event.every, lambda: carry_out(estate, event))
        case w.ObjectDeleted() | w.ObjectMoved():
            _touch_object(estate, event)


def _touch_object(estate: Estate, event: w.ObjectDeleted | w.ObjectMoved) -> None:
    dc = next(dc.name.lower() for dc in estate.spec.dcs if dc.writable)
    replica = estate.directory.replicas[dc]
    entry = replica.at_dn(event.dn)
    if entry is None or entry.deleted:
        return
    if isinstance(event, w.ObjectDeleted):
        estate.directory.delete(dc, entry.guid)
        return
    target = replica.at_dn(event.to)
    if target is not None:
        estate.directory.move(dc, entry.guid, target)
