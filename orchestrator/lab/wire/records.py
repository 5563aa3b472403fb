"""What a pipeline says besides its output: error records and its final state, as objects for the wire.

Shapes are those that Windows Server 2016 sent in the exchanges recorded for pypsrp's tests
(``test_psrp_error_failed``, ``test_psrp_stream_no_output_invocation``); MS-PSRP 2.2.2.20, 2.2.2.21, 2.2.3.15.
"""

from __future__ import annotations

from psrpcore.types import ErrorCategory, PSInvocationState

from orchestrator.lab.command import LabError, LabObject

_HRESULT = -2146233087
"""COR_E_SYSTEM, which every recorded exception of PowerShell carries."""

STOPPED = LabError(
    id="PipelineStopped",
    category="OperationStopped",
    exception="System.Management.Automation.PipelineStoppedException",
    message="The pipeline has been stopped.",
)


def error_record(error: LabError, *, streamed: bool) -> LabObject:
    """Return *error* as an ErrorRecord; *streamed* says that it travels by itself, not within a state.

    Raises:
        ValueError: ``category`` is not the name of a PowerShell ErrorCategory.
    """
    if error.category not in ErrorCategory.__members__:
        raise ValueError(f"{error.category} is not an ErrorCategory")
    reason = error.exception.rpartition(".")[2]
    target_type = "String" if error.target else ""
    target = f"{error.target}:{target_type}"
    properties: dict[str, object] = {"writeErrorStream": True} if streamed else {}
    properties |= {
        "Exception": _exception(error),
        "TargetObject": error.target or None,
        "FullyQualifiedErrorId": error.id,
        "InvocationInfo": None,
        "ErrorCategory_Category": ErrorCategory[error.category].value,
        "ErrorCategory_Activity": error.cmdlet,
        "ErrorCategory_Reason": reason,
        "ErrorCategory_TargetName": error.target,
        "ErrorCategory_TargetType": target_type,
        "ErrorCategory_Message": f"{error.category}: ({target}) [{error.cmdlet}], {reason}",
        "SerializeExtendedInfo": False,
    }
    types = ("System.Management.Automation.ErrorRecord", "System.Object")
    return LabObject(types, properties, error.message, frozenset(properties))


def _exception(error: LabError) -> LabObject:
    types = tuple(dict.fromkeys((error.exception, "System.Exception", "System.Object")))
    empty = dict.fromkeys(("InnerException", "TargetSite", "StackTrace", "HelpLink", "Source"))
    properties: dict[str, object] = {"Message": error.message, "Data": {}, **empty, "HResult": _HRESULT}
    return LabObject(types, properties, f"{error.exception}: {error.message}")


def pipeline_state(state: PSInvocationState, error: LabError | None = None) -> LabObject:
    """Return the message that ends a pipeline; *error* says why it did not complete."""
    properties: dict[str, object] = {"PipelineState": state.value}
    if error is not None:
        properties["ExceptionAsErrorRecord"] = error_record(error, streamed=False)
    return LabObject((), properties, None, frozenset(properties))
