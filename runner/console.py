"""What a command tells on the terminal: lines that stay, and one line of what is being done right now."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from runner.errors import printable

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print one plain line that stays."""
    _clear()
    console.print(escape(printable(line)))


def announce(line: str) -> None:
    """Say what is being done right now: replaces the status line on a terminal, else is a line of its own."""
    line = printable(line)
    if console.is_terminal:
        _clear()
        console.print(escape(line[: console.width - 1]), end="", style="dim")
    else:
        console.print(escape(line))


def styled(text: str, style: str = "") -> Text:
    """Return a text for the terminal in which neither markup nor control characters have an effect."""
    return Text("".join(c if c.isprintable() else " " for c in text), style)


def _clear() -> None:
    if console.is_terminal:
        console.file.write("\r\x1b[2K")


def minutes(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
