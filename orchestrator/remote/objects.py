"""What a pipeline's output becomes: records, and error records.

One reader hides how objects arrive: properties adapted or extended, enumerations as objects, SIDs as objects,
collections in four shapes, times as text. It never turns a missing property into a default; what did not come
is not in the record.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from uuid import UUID

from orchestrator.model.call import Value
from orchestrator.model.observation import Record, RemoteError
from orchestrator.remote.clixml import Reader

# fmt: off
CATEGORIES = (
    "NotSpecified", "OpenError", "CloseError", "DeviceError", "DeadlockDetected",
    "InvalidArgument", "InvalidData", "InvalidOperation", "InvalidResult", "InvalidType",
    "MetadataError", "NotImplemented", "NotInstalled", "ObjectNotFound", "OperationStopped",
    "OperationTimeout", "SyntaxError", "ParserError", "PermissionDenied", "ResourceBusy",
    "ResourceExists", "ResourceUnavailable", "ReadError", "WriteError", "FromStdErr",
    "SecurityError", "ProtocolError", "ConnectionError", "AuthenticationError", "LimitsExceeded",
    "QuotaExceeded", "NotEnabled",
)
# fmt: on
"""System.Management.Automation.ErrorCategory, by number (Microsoft Learn, ErrorCategory Enum)."""


def record(item: object) -> Record:
    """Return one output object.

    Raises:
        ValueError: the object's XML is not CLIXML.
    """
    xml = getattr(item, "_xml", None)
    if xml is None and isinstance(item, str) and item.startswith("<Obj "):
        xml = item  # pypsrp hands on an object of a type it does not know as its XML
    if xml is None:
        return Record(_primitive_type(item), {"": _plain(item)})
    try:
        node = Reader().node(ET.fromstring(xml))  # noqa: S314 - expat resolves no external entity
    except (ET.ParseError, KeyError, AssertionError) as error:
        raise ValueError(f"an object came back that is not CLIXML: {error!r}") from error
    properties = dict(node.properties)
    if node.is_enum and node.text:
        properties[""] = node.text
    elif node.has_bare:
        properties[""] = node.bare
    elif not properties:
        properties[""] = node.text
    return Record(node.type, properties)


def _plain(item: object) -> Value:
    match item:
        case None | bool() | int() | float() | str() | UUID():
            return item
        case list():
            return tuple(_plain(each) for each in item)
        case dict():
            return {str(key): _plain(value) for key, value in item.items()}
    xml = getattr(item, "_xml", None)
    if xml is not None:
        return Reader().value(ET.fromstring(xml))  # noqa: S314 - expat resolves no external entity
    return str(item)


def _primitive_type(item: object) -> str:
    names = {bool: "System.Boolean", int: "System.Int32", float: "System.Double", str: "System.String"}
    if isinstance(item, list):
        return "System.Object[]"
    return "System.Guid" if isinstance(item, UUID) else names.get(type(item), "")


def remote_error(error: object) -> RemoteError:
    """Return one error record of pypsrp's; its message is the record's own text."""

    def part(name: str) -> str:
        return str(getattr(error, name, None) or "")

    number = getattr(error, "category", None) or 0
    types = getattr(getattr(error, "exception", None), "types", None) or [part("reason")]
    return RemoteError(
        id=part("fq_error"),
        category=CATEGORIES[number] if 0 <= number < len(CATEGORIES) else str(number),
        exception=types[0].removeprefix("Deserialized."),
        message=str(error),
        target=part("target_name"),
        cmdlet=part("activity"),
    )
