"""YAML as text, because comments must stand in it: scalars that read back as they are, and comments that end.

A name comes from a directory or a host and may hold anything: quotes, colons, what YAML 1.1 takes for a number or for
``no``, line ends. Whatever it is, a scalar here reads back as that text, and a comment stays on its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_PART = r"(?:CN|OU|DC)=[A-Za-z0-9_.-]+(?: [A-Za-z0-9_.-]+)*"
_PLAIN_DN = re.compile(rf"{_PART}(?:,{_PART})+")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML 1.1 does not take for text, though it looks like it (yaml.org/type: bool, null)."""
_WIDE = 116


def scalar(text: str) -> str:
    """Return a scalar that reads back as this text, in block and in flow context."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if all(character.isprintable() and ord(character) < 0xD800 for character in text):
        return "'" + text.replace("'", "''") + "'"
    return _double(text)


def value(text: str) -> str:
    """Return a scalar that reads back as this text where nothing else stands on its line."""
    return text if _PLAIN_DN.fullmatch(text) else scalar(text)


def _double(text: str) -> str:
    """Return the double-quoted form, with everything that is not plain ASCII escaped by its number."""
    out = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            out.append(f"\\{character}")
        elif 0x20 <= code < 0x7F:
            out.append(character)
        else:
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


def shown(text: str) -> str:
    """Return text on one line: what is not printable by its number."""
    return "".join(one if one.isprintable() and ord(one) < 0xD800 else f"\\x{ord(one):02x}" for one in text)


def comment(text: str, indent: int) -> Iterator[str]:
    """Yield a comment, as many lines as it takes; nothing in the text can end it."""
    head, line = " " * indent + "# ", ""
    for word in shown(text).split(" "):
        if line and len(head) + len(line) + 1 + len(word) > _WIDE:
            yield (head + line).rstrip()
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield (head + line).rstrip()


def block(data: object, indent: int) -> Iterator[str]:
    """Yield mappings and lists of plain values as block YAML."""
    pad = " " * indent
    if isinstance(data, Mapping):
        for key, inner in data.items():
            name = scalar(str(key))
            if isinstance(inner, Mapping | list) and inner:
                yield f"{pad}{name}:"
                yield from block(inner, indent + 2)
            else:
                yield f"{pad}{name}: {_leaf(inner)}"
    elif isinstance(data, list):
        for inner in data:
            if isinstance(inner, Mapping | list) and inner:
                first, *rest = block(inner, indent + 2)
                yield f"{pad}- {first.lstrip(' ')}"
                yield from rest
            else:
                yield f"{pad}- {_leaf(inner)}"


def _leaf(inner: object) -> str:
    if isinstance(inner, str):
        return value(inner)
    return "[]" if inner == [] else "{}" if inner == {} else json.dumps(inner)
