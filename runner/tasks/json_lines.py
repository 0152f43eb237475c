"""Rows of a file of JSON Lines: an object a line (https://jsonlines.org)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from runner.errors import UserError
from runner.tasks.lines import TextFile
from runner.tasks.rows import Row, Rows

_NO_LINES = re.compile(r"\s*(\[|\{\s*$)")  # how a file begins that is one JSON value


def json_rows(file: TextFile, wanted: Sequence[str]) -> Rows:
    """Return the rows; the columns are those of the first, or the wanted ones where there is none.

    Raises:
        UserError: at once, or while the rows are read: if it is not JSON Lines.
    """
    rows = _rows(file)
    first = next(rows, None)
    if first is None:
        return Rows(list(wanted), rows)
    return Rows(list(first.values), chain([first], rows), read_as=file.read_as)


def _rows(file: TextFile) -> Iterator[Row]:
    where, lines, first = file.content.where, file.lines(), True
    for line in lines:
        if line.isspace():
            continue
        if first and _NO_LINES.match(line):
            kind = "array" if line.lstrip()[0] == "[" else "object over several lines"
            raise UserError(
                f"{where}, line {lines.number}: it is a JSON {kind}, not JSON Lines, which are an object a line. "
                f"Convert it: jq -c '{'.[]' if kind == 'array' else '.'}' {file.content.path.name} > texts.jsonl"
            )
        first = False
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or "nested too deeply, or a number too long"
            raise UserError(f"{where} is not a JSON Lines file: line {lines.number}: {reason}.") from None
        if not isinstance(values, dict):
            raise UserError(
                f'{where}, line {lines.number}: not a JSON object. Write one a line, such as {{"text": "…"}}.'
            )
        yield Row(f"line {lines.number}", values)
