"""Takes texts that are split into words:

    python predict.py "The words of a text , a space between them" "Another text"
    python predict.py < texts.txt

A file has one text on each line. Words are not split further: a comma is a word only where spaces surround it. If a
text contains a tab, tabs separate its words, and the words may contain spaces.
"""

from collections.abc import Iterator


def given(arguments: list[str], lines: Iterator[str]) -> list[list[str]]:
    """Return the words of each text."""
    texts = arguments or [line.rstrip("\n") for line in lines]
    return [[word for word in text.split("\t" if "\t" in text else " ") if word.strip()] for text in texts]
