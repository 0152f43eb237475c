"""A short, repeatable run over every reader of files from outside; the long one, guided by coverage, is tests.fuzz."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from runner.errors import UserError
from tests.fuzz.readers import NAMES, readers

_FILES = 100


def _changed(content: bytes, chance: random.Random) -> bytes:
    """Return the content with some bytes replaced, a part left out or doubled, or cut short."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        start, end = sorted(chance.choices(range(len(changed) + 1), k=2))
        part = changed[start : min(end, start + 40)]
        other = bytes(chance.choices(range(256), k=len(part)))
        changed[start : start + len(part)] = chance.choice([b"", part * 2, other, part[::-1], b"-1", b"[]", b"null"])
    return bytes(changed[: chance.randint(0, len(changed))] if chance.random() < 0.1 else changed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_reader_returns_or_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    reader, chance = readers(tmp_path)[name](), random.Random(name)
    for seed in reader.seeds:
        with suppress(UserError):  # of a good file, too, a part may lie elsewhere
            reader(seed)
    for _ in range(_FILES):
        with suppress(UserError):
            reader(_changed(chance.choice(reader.seeds), chance))
