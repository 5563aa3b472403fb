"""What the program believes about Windows, and which tests would have to change if it were wrong: ``claims.yaml``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).with_name("claims.yaml")

Confidence: TypeAlias = Literal["P", "S", "I", "open", "P, S", "S, P"]


class Claim(BaseModel):
    """One thing that is believed. ``tests``: modules, functions (``module::name``), case files, or folders of cases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    confidence: Confidence
    source: str
    does: str
    switch: tuple[str, ...] = ()
    tests: tuple[str, ...] = Field(min_length=1)


Areas: TypeAlias = dict[str, tuple[Claim, ...]]


def load() -> Areas:
    """Return the claims by the area they are about."""
    return TypeAdapter(Areas).validate_python(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def exists(test: str) -> bool:
    """Say whether there is such a test."""
    path, _, function = test.partition("::")
    place = ROOT / path
    if not function:
        return any(place.glob("*.yaml")) if place.is_dir() else place.is_file()
    tree = ast.parse(place.read_text(encoding="utf-8")) if place.is_file() else ast.Module([], [])
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in ast.walk(tree))
