"""Text -> a tree of nodes that know their position, without YAML's own idea of types.

Built on the parser's events and not on ``yaml.compose``: the C composer recurses, and a few thousand opening
brackets overflow its stack and kill the process. Here depth and the expansion of aliases have limits, a
duplicate key is a problem and not a silent last word, and a scalar keeps its text: ``22:00`` is those five
characters until the schema says what is wanted there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from orchestrator.planfile.problem import Problem, Problems, shown
from orchestrator.planfile.source import Unreadable, position
from orchestrator.planfile.syntax import explain

DEEPEST = 50
"""Levels of nesting; a plan needs nine."""
MOST_WRITTEN = 500_000
"""Nodes; ten thousand migrations on six hosts each have 490,000."""
LONGEST_KEY = 1_024
"""Characters; YAML itself has this limit for keys without a question mark."""
MOST_BY_ALIAS = 500_000
"""Nodes that aliases and merge keys may add to those that are written out."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAB_INDENT = re.compile(r" *\t[ \t]*\S")
_TAG_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])%TAG")


@dataclass(slots=True, eq=False)
class Scalar:
    """A leaf. ``plain`` says that it stands without quotes, so that YAML 1.1 would guess its type."""

    text: str
    plain: bool
    line: int
    column: int
    weight: int = 1


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    line: int
    column: int
    items: list[Node] = field(default_factory=list)
    weight: int = 1


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys and values, merge keys already resolved; each key keeps the scalar it was written as."""

    line: int
    column: int
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    weight: int = 1


@dataclass(slots=True, eq=False)
class Missing:
    """What should stand here could not be read; a problem says why."""

    line: int
    column: int
    weight: int = 1


Node: TypeAlias = Scalar | Sequence | Mapping | Missing


@dataclass(slots=True, eq=False)
class _Open:
    """A collection whose end has not been seen."""

    node: Sequence | Mapping
    anchor: str | None
    key: Node | None = None
    bases: list[tuple[Scalar, Node]] = field(default_factory=list)


def build(text: str, lines: list[str]) -> tuple[Node, Problems]:
    """Return the document's root, and the problems that did not keep it from being read.

    Raises:
        Unreadable: it is no YAML, empty, more than one document, too deep, too much, or expands beyond the limit.
    """
    _refuse_directives(text)
    builder = _Builder()
    takers = builder.takers
    parser = _Parser(text)
    try:
        for event in iter(parser.get_event, None):
            takers[type(event)](event)
    except yaml.YAMLError as wrong:
        raise Unreadable(explain(wrong, lines)) from None
    finally:
        parser.dispose()
    if "\t" in text:
        builder.refuse_tabs(lines)
    if builder.root is None:
        raise Unreadable(Problem(1, 1, "", "the file is empty", "see plans/quickstart.yaml", "empty"))
    return builder.root, builder.problems


class _Builder:
    def __init__(self) -> None:
        self.root: Node | None = None
        self.problems = Problems()
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._unfinished: set[str] = set()
        self._written = 0
        self._merged = 0
        self._quoted_spans: list[tuple[int, int]] = []
        self.takers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceEndEvent: self._finish,
            yaml.MappingEndEvent: self._finish,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
            yaml.DocumentEndEvent: _nothing,
            yaml.StreamStartEvent: _nothing,
            yaml.StreamEndEvent: _nothing,
        }

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self._stop(event, "a plan is one document, and here begins another", "leave out what follows the first")

    def _scalar(self, event: Any) -> None:
        start = event.start_mark
        style = event.style
        node = Scalar(event.value, not style, start.line + 1, start.column + 1)
        if style and event.end_mark.line > start.line:
            end = event.end_mark
            self._quoted_spans.append((start.line + 1, end.line + 1 if end.column else end.line))
        self._written += 1
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._place(node)
        if self._written > MOST_WRITTEN:
            self._stop_at_most(event)

    def _begin(self, event: Any) -> None:
        if len(self._open) >= DEEPEST:
            self._stop(event, f"nested deeper than {DEEPEST} levels", "a plan needs nine")
        mark = event.start_mark
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor:
            self._unfinished.add(event.anchor)
        self._written += 1
        self._open.append(_Open(kind(mark.line + 1, mark.column + 1), event.anchor))
        if self._written > MOST_WRITTEN:
            self._stop_at_most(event)

    def _finish(self, _event: Any) -> None:
        opened = self._open.pop()
        node = opened.node
        for key, base in opened.bases:
            self._merge(node, key, base)
        if isinstance(node, Sequence):
            node.weight = 1 + sum([child.weight for child in node.items])
        else:
            node.weight = 1 + sum([value.weight for _, value in node.entries.values()])
        if node.weight > self._written + MOST_BY_ALIAS:
            self._stop(node, "the aliases in here expand to too much", "write out what is meant", "expansion")
        if opened.anchor:
            self._unfinished.discard(opened.anchor)
            self._anchors[opened.anchor] = node
        self._place(node)

    def _alias(self, event: Any) -> None:
        self._written += 1
        if self._written > MOST_WRITTEN:
            self._stop_at_most(event)
        node = self._anchors.get(event.anchor)
        if event.anchor in self._unfinished or node is None:
            why = "contains itself" if event.anchor in self._unfinished else "is not defined above"
            node = self._missing(event, f"the alias *{event.anchor} {why}", "", "alias")
        self._place(node)

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        if type(top.node) is Sequence:
            top.node.items.append(node)
            return
        key, entries = top.key, top.node.entries  # type: ignore[union-attr]  # the other kind
        if key is None:
            top.key = node
            return
        top.key = None
        if type(key) is Scalar and key.text not in entries and key.text != "<<" and len(key.text) <= LONGEST_KEY:
            entries[key.text] = (key, node)
        else:
            self._entry(top, entries, key, node)

    def _entry(self, top: _Open, entries: dict[str, tuple[Scalar, Node]], key: Node, value: Node) -> None:
        if not isinstance(key, Scalar):
            if not isinstance(key, Missing):
                self._report(key, "a key must be text", "", "key")
            return
        if len(key.text) > LONGEST_KEY:
            self._report(key, f"a key has {len(key.text):,} characters", f"write at most {LONGEST_KEY:,}", "key")
            return
        merge = key.plain and key.text == "<<"
        known = {"<<": top.bases[0]} if merge and top.bases else {} if merge else entries
        if key.text in known and self.problems.full:
            self.problems.skipped += 1
        elif key.text in known:
            first = known[key.text][0]
            message = f"the key {shown(key.text)} stands here twice, first on line {first.line}"
            hint = "list them: <<: [*one, *two]" if merge else "YAML would silently keep only the last; keep one"
            self._report(key, message, hint, "duplicate-key")
        elif merge:
            top.bases.append((key, value))
        else:
            entries[key.text] = (key, value)

    def _merge(self, node: Node, key: Scalar, base: Node) -> None:
        assert isinstance(node, Mapping)
        for source in base.items if isinstance(base, Sequence) else [base]:
            if isinstance(source, Mapping):
                self._merged += len(source.entries)
                if self._merged > MOST_BY_ALIAS:
                    self._stop(key, "the merge keys expand to too much", "write out what is meant", "expansion")
                for name, entry in source.entries.items():
                    node.entries.setdefault(name, entry)
            elif not isinstance(source, Missing):
                self._report(key, "<< takes a mapping, or a list of mappings", "such as <<: *defaults", "merge")

    def refuse_tabs(self, lines: list[str]) -> None:
        """Report tabs as indentation outside of quoted and block text, where YAML lets some of them pass."""
        quoted = {line for start, end in self._quoted_spans for line in range(start + 1, end + 1)}
        for number, line in enumerate(lines, 1):
            if _TAB_INDENT.match(line) and number not in quoted:
                self.problems.add(
                    Problem(
                        number, line.index("\t") + 1, "", "a tab is used as indentation", "indent with spaces", "tab"
                    )
                )

    def _refuse_tag(self, event: Any) -> None:
        self._report(event, f"the tag {shown(event.tag)} has no meaning in a plan", "leave it out", "tag")

    def _missing(self, at: Any, message: str, hint: str, id_: str) -> Missing:
        self._report(at, message, hint, id_)
        mark = at.start_mark
        return Missing(mark.line + 1, mark.column + 1)

    def _report(self, at: Any, message: str, hint: str, id_: str) -> None:
        if self.problems.full:
            self.problems.skipped += 1
        else:
            self.problems.add(_problem(at, message, hint, id_))

    def _stop_at_most(self, at: Any) -> NoReturn:
        self._stop(at, f"there are more than {MOST_WRITTEN:,} values", "split the plan into several", "too-many")

    def _stop(self, at: Any, message: str, hint: str, id_: str = "syntax") -> NoReturn:
        raise Unreadable(_problem(at, message, hint, id_))


def _nothing(_event: Any) -> None:
    """Take an event that says nothing about the tree."""


def _refuse_directives(text: str) -> None:
    """Refuse what declares tags: a plan has none, and the parser compares each with all others."""
    found = _TAG_DIRECTIVE.search(text) if "%TAG" in text else None
    if found is not None:
        line, column = position(text[: found.end() - len("%TAG")])
        raise Unreadable(Problem(line, column, "", "a tag has no meaning in a plan", "leave out the %TAG line", "tag"))


def _problem(at: Any, message: str, hint: str, id_: str) -> Problem:
    mark = getattr(at, "start_mark", None)
    line, column = (at.line, at.column) if mark is None else (mark.line + 1, mark.column + 1)
    return Problem(line, column, "", message, hint, id_)
