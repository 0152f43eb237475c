"""Takes texts:

    python predict.py "One text" "Another one"
    python predict.py < texts.txt

A file has one text on each line.
"""

from collections.abc import Iterator


def given(arguments: list[str], lines: Iterator[str]) -> list[str]:
    """Return the texts."""
    return arguments or [line.rstrip("\n") for line in lines]
