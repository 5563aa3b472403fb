"""Distinguished names: split, join, escape and compare (RFC 4514)."""

from __future__ import annotations

from functools import lru_cache

_MANY = 1 << 16
"""How many names are remembered: those of a large estate; every search parses the same few again and again."""
_SPECIAL = ',+"\\<>;='


def split(dn: str) -> tuple[str, ...]:
    """Return the relative names of *dn*, leftmost first, escapes kept, spaces around them dropped."""
    parts = [""]
    escaped = False
    for character in dn:
        if character == "," and not escaped:
            parts.append("")
            continue
        escaped = character == "\\" and not escaped
        parts[-1] += character
    return tuple(_trimmed(part) for part in parts if part.strip(" "))


def common(dn: str) -> str:
    """Return the value of the leftmost relative name: what people call the object."""
    return value(split(dn)[0])


def _trimmed(rdn: str) -> str:
    text = rdn.strip(" ")
    slashes = len(text) - len(text.rstrip("\\"))
    return f"{text} " if slashes % 2 and rdn.rstrip(" ") != rdn else text


def join(*parts: str) -> str:
    """Return the name made of relative or whole names, leftmost first."""
    return ",".join(part for part in parts if part)


def parent(dn: str) -> str:
    """Return the name of the container."""
    return join(*split(dn)[1:])


@lru_cache(_MANY)
def value(rdn: str) -> str:
    """Return what a relative name says after its type, unescaped: ``CN=a\\,b`` gives ``a,b``."""
    text = rdn.partition("=")[2].lstrip(" ")
    out = bytearray()
    position = 0
    while position < len(text):
        character = text[position]
        pair = text[position + 1 : position + 3]
        if character == "\\" and len(pair) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in pair):
            out.append(int(pair, 16))
            position += 3
        elif character == "\\" and pair:
            out += pair[0].encode()
            position += 2
        else:
            out += character.encode()
            position += 1
    return out.decode(errors="replace")


def escape(text: str) -> str:
    """Return *text* as the value of a relative name."""
    escaped = "".join(
        "\\" + character if character in _SPECIAL else "\\0A" if character == "\n" else character for character in text
    )
    if escaped.startswith((" ", "#")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


@lru_cache(_MANY)
def fold_rdn(rdn: str) -> str:
    """Return the form under which two spellings of one relative name are equal."""
    return f"{rdn.partition('=')[0].strip().lower()}={value(rdn).lower()}"


@lru_cache(_MANY)
def fold(dn: str) -> tuple[str, ...]:
    """Return the form under which two spellings of one name are equal."""
    return tuple(fold_rdn(rdn) for rdn in split(dn))


def is_under(dn: str, ancestor: str) -> bool:
    """Say whether *dn* lies below *ancestor*."""
    folded, above = fold(dn), fold(ancestor)
    return len(folded) > len(above) and folded[-len(above) :] == above


def looks_like_one(text: str) -> bool:
    """Say whether *text* can only be meant as a distinguished name."""
    return all("=" in rdn for rdn in split(text)) and bool(text)
