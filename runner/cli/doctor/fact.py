"""Define the sections and facts that the doctor reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One fact about the machine. It has advice only if a person can change something."""

    name: str
    value: str
    advice: str | None = None


@dataclass(frozen=True)
class Section:
    """Facts that belong together. `data` holds their values for programs."""

    title: str
    facts: list[Fact]
    data: dict[str, Any] = field(default_factory=dict)


def gib(size_bytes: float) -> str:
    """Return a size for people, such as 1.5 GiB."""
    return f"{size_bytes / (1 << 30):.1f} GiB"
