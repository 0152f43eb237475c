"""What makes a diff fail."""

from __future__ import annotations

#: The directions of a real change that each word of --fail-on stands for. A job that no longer runs always fails.
FAIL_ON = {
    "any": None,
    "slower": ("slower", "less-capacity", "broken"),
    "larger": ("larger", "broken"),
    "lower-score": ("lower-score", "broken"),
}
