"""Takes pairs of texts:

    python predict.py "One text" "The text that goes with it"
    python predict.py < pairs.txt

A file has one pair on each line, with a tab between the two texts.
"""

import sys
from collections.abc import Iterator


def given(arguments: list[str], lines: Iterator[str]) -> list[tuple[str, str]]:
    """Return the pairs of texts."""
    two_by_two = [arguments[start : start + 2] for start in range(0, len(arguments), 2)]
    pairs = two_by_two or [line.rstrip("\n").split("\t") for line in lines]
    if any(len(pair) != 2 for pair in pairs):
        sys.exit("This model evaluates pairs: give two texts for each, on a line with one tab between them.")
    return [(first, second) for first, second in pairs]
