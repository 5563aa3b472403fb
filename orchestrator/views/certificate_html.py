"""A drill's certificate as a page: one file, without scripts, pictures or a network; made of the JSON alone.

The JSON stands at its end, so that the page can be held against the journal just as the JSON file can. Part of the form
(:data:`orchestrator.views.certificate.FORM`): as the form, what is written here is never changed once it was released.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from orchestrator.journal.chain import DECODER, canonical

VERDICTS = {
    "restored": "RESTORED: everything came as far as it should, and was brought back.",
    "cut-short": "CUT SHORT: everything was brought back, but not everything came as far as it should.",
    "not-restored": "NOT RESTORED: something was not brought back. A person is needed.",
}
_BEGIN, _END = '<pre id="certificate">', "</pre>"
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
.verdict { border-left: .6rem solid; padding: .8rem 1rem; font-size: 1.3rem; font-weight: 600; }
.restored { border-color: #146c2e; background: #e7f4ea; color: #0b4a1e; }
.cut-short { border-color: #8a5a00; background: #fdf3dc; color: #5c3b00; }
.not-restored { border-color: #a4161a; background: #fbe9e9; color: #7a0d10; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1.5rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding: .3rem 0; }
th, td { border: 1px solid #767676; padding: .3rem .5rem; text-align: left; vertical-align: top; }
.long { min-width: 7rem; font-size: .85rem; overflow-wrap: anywhere; }
thead th { background: #eee; }
code, pre { font: .85rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } details { display: none; } tr { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: 8pt; } .long { min-width: 4rem; font-size: 7pt; } }
""".strip()  # noqa: E501 - lines of a style sheet

_LONG = 20
"""From how many letters on a word may be broken: names are not, digests and descriptors are."""
_WHERE = {"real": "a real estate", "lab": "a simulated estate (lab), whose time jumps: no measure of a real one"}


def as_page(document: dict[str, Any]) -> bytes:
    """Return a certificate as its page."""
    title = _text(f"Drill {document['drill']} of {document['plan']}: {document['verdict']}")
    body = "\n".join(_body(document))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    ).encode()


def in_page(page: bytes) -> dict[str, Any]:
    """Return the certificate that a page holds.

    Raises:
        ValueError: it holds none.
    """
    _, begun, rest = page.decode("utf-8").partition(_BEGIN)
    text, ended, _ = rest.partition(_END)
    if not begun or not ended:
        raise ValueError("no certificate is in it")
    document = DECODER.decode(html.unescape(text))
    if not isinstance(document, dict):
        raise ValueError("no certificate is in it")  # noqa: TRY004 - about what a file holds, not about a type
    return document


def spoken(seconds: int | None) -> str:
    """Return a time as a person says it."""
    return "-" if seconds is None else str(timedelta(seconds=seconds))


def _text(value: object) -> str:
    return html.escape(str(value))


def _body(document: dict[str, Any]) -> Iterator[str]:
    yield f"<h1>Drill {document['drill']} of {_text(document['plan'])}</h1>"
    yield f'<p class="verdict {_text(document["verdict"])}">{_text(VERDICTS[document["verdict"]])}</p>'
    yield from _facts(document)
    yield "<h2>Accounts</h2>"
    yield _table("What was drilled, and how it ended.", _HEAD, map(_account, document["migrations"]))
    yield "<h2>Time to restore, host by host</h2>"
    yield _table(
        "From the word that asked for the way back, slowest first.", ("Host", "dMSA", "Time"), _hosts(document)
    )
    yield "<h2>What differs from the snapshot</h2>"
    yield from _differences(document["migrations"])
    yield "<h2>Every leg</h2>"
    yield _table("In the estate's time.", ("dMSA", "Way", "From", "To", "Began", "Ended", "Took"), _legs(document))
    yield "<h2>Before and after</h2>"
    yield _table("Whether all was well.", ("dMSA", "When", "Account", "Workloads", "Troubles"), _steady(document))
    yield "<h2>How to check this page</h2>"
    yield (
        "<p>With the journal at hand, <code>dmsa journal verify --certificate FILE</code> makes this page again from "
        f"the journal's rows up to row {document['head']['seq']}, whose hash is <code>{_text(document['head']['hash'])}"
        "</code>, and compares every byte.</p>"
    )
    data = html.escape(canonical(document), quote=False)
    yield f"<details>\n<summary>The certificate as data (JSON)</summary>\n{_BEGIN}{data}{_END}\n</details>"


def _facts(document: dict[str, Any]) -> Iterator[str]:
    slowest = document["restore"]["slowest"]
    facts = [
        ("Time to restore", spoken(document["restore"]["seconds"])),
        ("Slowest host", f"{slowest['host']}, {spoken(slowest['seconds'])}" if slowest else "no host was restarted"),
        ("Accounts", len(document["migrations"])),
        ("Went to", document["to"]),
        ("Where", _WHERE[document["estate"]]),
        ("Who", document["by"]),
        ("Began", _moment(document["began"])),
        ("Turned back", document["turned"]["estate"] or "time not read"),
        ("Ended", _moment(document["ended"])),
        ("Plan digest", document["digest"]),
        ("Journal", f"row {document['head']['seq']}, hash {document['head']['hash']}"),
        ("dmsa", document["tool"]),
    ]
    if document["origin"] is not None:
        facts[5:5] = [
            ("Lab from snapshots of", ", ".join(document["origin"]["snapshots"]) or "nothing"),
            ("Made up", "; ".join(document["origin"]["made_up"]) or "nothing"),
        ]
    yield "<dl>"
    yield from (f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    yield "</dl>"


def _moment(moment: dict[str, Any]) -> str:
    return f"{moment['estate'] or 'time not read'} (clock of the runner's machine: {moment['clock']})"


_HEAD = ("dMSA", "Account", "Attempt", "Verdict", "Reached", "Ended", "Snapshot before", "Now", "Differences", "Time")


def _account(one: dict[str, Any]) -> Sequence[object]:
    snapshot = one["snapshot"]
    counts = ", ".join(f"{len(found)} {verdict}" for verdict, found in snapshot["differences"].items())
    now = snapshot["now"] or "not compared: nothing had been linked"
    why = "; ".join(filter(None, (one["why"], one["held"])))
    return (
        one["dmsa"],
        one["account"],
        one["attempt"],
        one["verdict"],
        (one["reached"] or "-") + (f": {why}" if why else ""),
        one["ended"],
        snapshot["before"] or "none was taken",
        now,
        counts if snapshot["now"] else "-",
        spoken(one["seconds"]),
    )


def _hosts(document: dict[str, Any]) -> list[Sequence[object]]:
    hosts = [(host["seconds"], host["name"], one["dmsa"]) for one in document["migrations"] for host in one["hosts"]]
    hosts.sort(key=lambda one: (-1 if one[0] is None else -one[0] - 2, one[1], one[2]))
    return [(name, dmsa, "nothing to restart" if took is None else spoken(took)) for took, name, dmsa in hosts]


def _differences(migrations: Iterable[dict[str, Any]]) -> Iterator[str]:
    rows = [
        (
            one["dmsa"],
            verdict,
            found["object"],
            found["name"],
            _value(found["before"]),
            _value(found["now"]),
            _why(found),
        )
        for one in migrations
        for verdict, all_found in one["snapshot"]["differences"].items()
        for found in all_found
    ]
    head = ("dMSA", "Whose", "Object", "Fact", "Before", "Now", "Why")
    yield (
        _table(
            "failed: ours to restore, and not restored. foreign: others changed it. declared: a way back may leave it.",
            head,
            rows,
        )
        if rows
        else "<p>Nothing.</p>"
    )


def _value(value: object) -> str:
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)


def _why(found: dict[str, Any]) -> str:
    return str(found["why"]) + (f"; by hand: {found['by_hand']}" if found["by_hand"] else "")


def _legs(document: dict[str, Any]) -> Iterator[Sequence[object]]:
    for one in document["migrations"]:
        for leg in one["legs"]:
            times = (leg["began"] or "-", leg["ended"] or "-", spoken(leg["seconds"]))
            yield (one["dmsa"], leg["way"], leg["from"], leg["to"], *times)


def _steady(document: dict[str, Any]) -> Iterator[Sequence[object]]:
    for one in document["migrations"]:
        for when in ("before", "after"):
            seen = one["steady"][when]
            if seen is None:
                yield (one["dmsa"], when, "not looked at", "-", "-")
                continue
            states = (
                f"{host}: {what} {state}" for host, all_ in seen["workloads"].items() for what, state in all_.items()
            )
            yield (one["dmsa"], when, seen["account"], "; ".join(states) or "-", "; ".join(seen["troubles"]) or "none")


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f'<div class="wide">\n<table>\n<caption>{_text(caption)}</caption>\n<thead><tr>']
    lines += [f'<th scope="col">{_text(cell)}</th>' for cell in head]
    lines.append("</tr></thead>\n<tbody>")
    for first, *cells in rows:
        inner = "".join(f"<td{_breaking(cell)}>{_text(cell)}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row"{_breaking(first)}>{_text(first)}</th>{inner}</tr>')
    return "\n".join((*lines, "</tbody>\n</table>\n</div>"))


def _breaking(cell: object) -> str:
    return ' class="long"' if max(map(len, str(cell).split()), default=0) >= _LONG else ""
