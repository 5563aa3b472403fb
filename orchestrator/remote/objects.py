"""What a pipeline's output becomes: records, and error records.

One reader hides how objects arrive: properties adapted or extended, enumerations as objects, SIDs as objects,
collections in four shapes, times as text. It never turns a missing property into a default; what did not come
is not in the record.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

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


_PRIMITIVES = {
    "S": "System.String",
    "B": "System.Boolean",
    "C": "System.Char",
    "I32": "System.Int32",
    "I64": "System.Int64",
    "Db": "System.Double",
    "Sg": "System.Single",
    "G": "System.Guid",
    "DT": "System.DateTime",
    "TS": "System.TimeSpan",
}


def record(xml: str) -> Record:
    """Return one output object, given as the XML that came.

    Raises:
        ValueError: it is not CLIXML.
    """
    try:
        element = ET.fromstring(xml)  # noqa: S314 - expat resolves no external entity
        if element.tag != "Obj":
            return Record(_PRIMITIVES.get(element.tag, ""), {"": Reader().value(element)})
        node = Reader().node(element)
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
