"""The loop that carries the engine's answers out, and what it consists of.

:mod:`~orchestrator.conductor.conductor` is the loop; :mod:`~orchestrator.conductor.tenure` how a runner takes over and
leaves; :mod:`~orchestrator.conductor.rest` the wait between two turns, with who is :mod:`~.attending` it;
:mod:`~orchestrator.conductor.flightdeck` what is pending and in the air, with its
:mod:`~orchestrator.conductor.flights`, the :mod:`~orchestrator.conductor.agenda` of what is worth a look, and the
:mod:`~orchestrator.conductor.shells` that were announced; :mod:`~orchestrator.conductor.fence` the question before a
write leaves, which listens to what was :mod:`~orchestrator.conductor.spoken`; :mod:`~orchestrator.conductor.runlog` the
run as it is written down.
"""

from orchestrator.conductor.conductor import Assignment, Conductor

__all__ = ["Assignment", "Conductor"]
