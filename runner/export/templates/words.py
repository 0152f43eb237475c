"""Takes texts as their words:

    python predict.py "The words of a text , a space between them" "Another text"
    python predict.py < texts.txt

A file has one text a line. Words are taken as they are: a comma is one of its own only where it stands alone. Where a
text has a tab in it, tabs are between its words, which may then have spaces in them.
"""

from collections.abc import Iterator


def given(arguments: list[str], lines: Iterator[str]) -> list[list[str]]:
    """Return the words of each text."""
    texts = arguments or [line.rstrip("\n") for line in lines]
    return [[word for word in text.split("\t" if "\t" in text else " ") if word.strip()] for text in texts]
