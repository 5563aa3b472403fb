"""Text from plans, directories and people, as it is shown: nothing of it moves a cursor, hides, or turns round."""

from __future__ import annotations

from datetime import timedelta

from markupsafe import Markup


def shown(text: object) -> str:
    """Return a text with what cannot be seen written out: control characters, marks of direction, lone surrogates.

    A line feed stays one. Whoever puts the result into a page escapes it beside that.
    """
    said = str(text)
    if said.isprintable():
        return said
    return "".join(one if one.isprintable() or one == "\n" else _written_out(one) for one in said)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: object, most: int) -> str:
    """Return a text for a drawing, where there is little room; the table beside the drawing has all of it."""
    said = shown(text).replace("\n", " ")
    return said if len(said) <= most else said[: most - 1] + "…"


def spoken(seconds: float | None) -> str:
    """Return a duration as a person says it."""
    if seconds is None:
        return "-"
    if 0 <= seconds < 1:
        return f"{seconds:g} s"
    days, rest = divmod(timedelta(seconds=round(seconds)), timedelta(days=1))
    clock = str(rest)
    return f"{days} d {clock}" if days else clock


def clock(at: str | None) -> str:
    """Return a moment of a document as a table shows it: date and time, in UTC."""
    return at[:19].replace("T", " ") if at else "-"


def coded(text: object) -> Markup:
    """Return a text of ours as markup, what stands between backquotes as code: commands that a person types."""
    parts = shown(text).split("`")
    if len(parts) % 2 == 0:
        return Markup("").join(["`".join(parts)])
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )
