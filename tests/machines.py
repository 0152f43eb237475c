"""Made-up machines: files as /proc and /sys show them, below a temporary folder."""

from __future__ import annotations

from pathlib import Path


def show(root: Path, files: dict[str, str]) -> Path:
    """Write each file; return the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
