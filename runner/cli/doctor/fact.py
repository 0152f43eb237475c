"""What the doctor reports: facts, and one line of advice where there is something to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One thing that was found. It has advice only if a person can do something about it."""

    name: str
    value: str
    advice: str | None = None


@dataclass(frozen=True)
class Section:
    """Facts that belong together. `data` holds the figures behind them, for programs."""

    title: str
    facts: list[Fact]
    data: dict[str, Any] = field(default_factory=dict)


def gib(size_bytes: float) -> str:
    """Return a size for people, such as 1.5 GiB."""
    return f"{size_bytes / (1 << 30):.1f} GiB"
