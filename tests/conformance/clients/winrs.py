"""Run by the environment ``pywinrm``: a client that speaks WinRS only, so it gets as far as a fault.

Takes what it needs as JSON on standard input, and prints what it saw as JSON.
"""

import json
import sys

import winrm


def main():
    given = json.load(sys.stdin)
    protocol = winrm.Protocol(
        given["url"],
        transport=given["auth"],
        username=given["username"],
        password=given["password"],
        server_cert_validation="validate" if given["ca"] else "ignore",
        ca_trust_path=given["ca"],
        message_encryption="auto",
    )
    try:
        seen = {"shell": protocol.open_shell()}
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is asked
        seen = {"raised": type(error).__name__, "text": str(error), "code": getattr(error, "wsmanfault_code", None)}
    json.dump(seen, sys.stdout)


main()
