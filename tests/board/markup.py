"""What a browser would make of a page: its elements and attributes, in order."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}
DRAWN = {"path", "circle", "rect", "line"}


class Elements(HTMLParser):
    """Takes a page apart, and complains of what is not closed as it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in DRAWN, f"<{tag}/> is no element that closes itself"
        self.shape.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def named(self, name: str) -> list[str]:
        """Return the values of every attribute of that name."""
        return [value for _, one, value in self.attributes if one == name]
