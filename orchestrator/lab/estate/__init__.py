"""A simulated Windows domain: directory, hosts, weather and clock, without any input or output.

The same specification and the same sequence of (time, request) always give the same state; nothing in
this room reads a clock, a file, the network or a source of chance that was not handed in.
"""

from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.spec import EstateInvalid, EstateSpec, load_spec

__all__ = ["Estate", "EstateInvalid", "EstateSpec", "load_spec"]
