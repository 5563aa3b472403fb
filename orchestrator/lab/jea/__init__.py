"""Just Enough Administration as the lab has it: role and session files read, and nothing served but what they show.

Written from Microsoft's pages about JEA and from nothing of the near side, which generates such files: that the two
agree is for tests to show.
"""

from orchestrator.lab.jea.datafile import DataFileInvalid
from orchestrator.lab.jea.registered import Entry, Registered

__all__ = ["DataFileInvalid", "Entry", "Registered"]
