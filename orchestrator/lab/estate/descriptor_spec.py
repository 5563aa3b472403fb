"""Descriptors in the estate file: who else owns an object, and what else its entries say, on the first day."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.lab.estate.quantities import Name, Spec

_GUID = r"([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?"


class AceSpec(Spec):
    """One entry, by its fields in SDDL (MS-DTYP 2.5.1.1)."""

    kind: Literal["A", "D", "OA", "OD", "XA"] = "A"
    flags: Annotated[str, Field(pattern=r"^(OI|CI|NP|IO|ID)*$")] = ""
    rights: Annotated[str, Field(pattern=r"^([A-Z]{2})+$")]
    about: Annotated[str, Field(pattern=f"^{_GUID}$")] = ""
    """The GUID of an attribute or a class; for ``OA`` and ``OD``."""
    inherited_by: Annotated[str, Field(pattern=f"^{_GUID}$")] = ""
    """The GUID of the class that inherits it; for ``OA`` and ``OD``."""
    to: Name
    """A distinguished name, a SID, or ``RID:`` and a number for somebody of the domain."""
    condition: str = ""
    """For ``XA``: the condition with its parentheses."""


class DescriptorSpec(Spec):
    """What differs from the default of the object's class."""

    of: Name
    owner: Name | None = None
    """Who owns it: as ``to`` of an entry."""
    entries: tuple[AceSpec, ...] = ()
    """Entries in front of those that its class gives it, in this order."""
    controlled: bool = True
    """False for an object without a list of entries: everybody may everything."""
