"""What makes a diff fail."""

from __future__ import annotations

#: Which directions of a real change each word of --fail-on stands for; a job that no longer runs fails always.
FAIL_ON = {
    "any": None,
    "slower": ("slower", "broken"),
    "larger": ("larger", "broken"),
    "less-accurate": ("less-accurate", "broken"),
}
