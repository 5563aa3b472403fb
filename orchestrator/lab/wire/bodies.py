"""The bodies of WSMan's replies, as XML with the prefixes that :mod:`soap` declares.

Elements and their order are those of the exchanges recorded from Windows for pypsrp's tests; what a lab has
no counterpart for (a process of its own for each shell, its memory) is made up.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from orchestrator.lab.wire import soap
from orchestrator.lab.wire.outbox import Parcel
from orchestrator.lab.wire.shell import Pipeline, Shell

SENT = "<rsp:SendResponse/>"
SIGNALLED = "<rsp:SignalResponse/>"
PIPELINE_CONNECTED = "<rsp:ConnectResponse/>"
IDENTITY = (
    f'<i:IdentifyResponse xmlns:i="{soap.IDENTITY}"><i:ProtocolVersion>{soap.WSMAN}</i:ProtocolVersion>'
    "<i:ProductVendor>dmsa lab</i:ProductVendor><i:ProductVersion>simulated</i:ProductVersion>"
    "</i:IdentifyResponse>"
)

_EXIT_CODE = "<rsp:ExitCode>0</rsp:ExitCode>"


def shell(each: Shell, is_connected: bool, *, running: bool = True) -> str:
    """Return the Shell element (MS-WSMV 2.2.4.37); one that is just being created does not say what it costs."""
    fields = {
        "ShellId": each.name,
        "ResourceUri": f"{soap.POWERSHELL}/{each.configuration}",
        "Owner": each.owner,
        "ClientIP": each.client,
        "ProcessId": f"{each.id.int % 4000 * 4 + 1000}",
        "IdleTimeOut": f"PT{each.idle_timeout:.3f}S",
        "InputStreams": "stdin pr",
        "OutputStreams": "stdout",
        "MaxIdleTimeOut": "PT2147483.647S",
        "Locale": "en-US",
        "DataLocale": "en-US",
        "CompressionMode": "NoCompression",
        "ProfileLoaded": "Yes",
        "Encoding": "UTF8",
        "BufferMode": "Block",
        "State": "Connected" if is_connected else "Disconnected",
        "ShellRunTime": _elapsed(each.age),
        "ShellInactivity": _elapsed(each.inactivity),
        **({"MemoryUsed": "50MB", "ChildProcesses": "0"} if running else {}),
    }
    content = "".join(f"<rsp:{name}>{escape(value)}</rsp:{name}>" for name, value in fields.items())
    return f"<rsp:Shell>{content}</rsp:Shell>"


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"


def created(each: Shell, address: str) -> str:
    """Return the answer to Create."""
    uri = escape(f"{soap.POWERSHELL}/{each.configuration}")
    return (
        f"<x:ResourceCreated><a:Address>{escape(address)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{uri}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{each.name}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated>{shell(each, True, running=False)}"
    )


def command_accepted(command: str) -> str:
    """Return the answer to Command."""
    return f"<rsp:CommandResponse><rsp:CommandId>{escape(command)}</rsp:CommandId></rsp:CommandResponse>"


def received(parcel: Parcel, command: str | None) -> str:
    """Return the answer to Receive; the last parcel of a pipeline says that the command is done."""
    whose = "" if command is None else f" CommandId={quoteattr(command)}"
    streams = "".join(
        f'<rsp:Stream Name="stdout"{whose}>{base64.b64encode(each).decode()}</rsp:Stream>' for each in parcel.fragments
    )
    done = f'<rsp:CommandState{whose} State="{soap.SHELL}/CommandState/Done">{_EXIT_CODE}</rsp:CommandState>'
    return f"<rsp:ReceiveResponse>{streams}{done if parcel.last else ''}</rsp:ReceiveResponse>"


def connected(fragments: Iterable[bytes]) -> str:
    """Return the answer to the Connect of a shell."""
    content = base64.b64encode(b"".join(fragments)).decode()
    return (
        "<rsp:ConnectResponse><rsp:InputStreams>stdin pr</rsp:InputStreams>"
        "<rsp:OutputStreams>stdout</rsp:OutputStreams>"
        f'<connectResponseXml xmlns="{soap.POWERSHELL}">{content}</connectResponseXml></rsp:ConnectResponse>'
    )


def command(each: Pipeline) -> str:
    """Return the Command element of an enumeration."""
    return (
        f"<rsp:Command><rsp:CommandId>{escape(each.command)}</rsp:CommandId><rsp:CommandLine></rsp:CommandLine>"
        f"<rsp:CommandState>{'Done' if each.over else 'Running'}</rsp:CommandState></rsp:Command>"
    )


def enumerated(items: Sequence[str]) -> str:
    """Return the answer to Enumerate, everything at once."""
    listed = f"<w:Items>{''.join(items)}</w:Items>" if items else ""
    return (
        f"<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext>{listed}<w:EndOfSequence/>"
        f"</n:EnumerateResponse>"
    )


def config(largest: int) -> str:
    """Return the one setting of the service that a client asks for: its largest envelope, in KiB."""
    return (
        f'<cfg:Config xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config">'
        f"<cfg:MaxEnvelopeSizekb>{largest}</cfg:MaxEnvelopeSizekb></cfg:Config>"
    )
