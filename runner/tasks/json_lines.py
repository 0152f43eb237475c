"""Read the rows of a file of JSON Lines, which has an object in each line (https://jsonlines.org)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from runner.errors import UserError
from runner.tasks.lines import TextFile
from runner.tasks.rows import Row, Rows

_NO_LINES = re.compile(r"\s*(\[|\{\s*$)")  # the beginning of a file with a single JSON value


def json_rows(file: TextFile, wanted: Sequence[str]) -> Rows:
    """Return the rows. The columns are those of the first row, or the wanted ones if there are no rows.

    Raises:
        UserError: if the file is not JSON Lines. It may also be raised while the rows are read.
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
                f"{where}, line {lines.number}: it is a JSON {kind}, not JSON Lines with an object in each line. "
                f"Convert it: jq -c '{'.[]' if kind == 'array' else '.'}' {file.content.path.name} > texts.jsonl"
            )
        first = False
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", None) or "it is nested too deeply, or a number is too long"
            raise UserError(
                f"{where} is not a JSON Lines file: line {lines.number}: {reason}. Correct the line."
            ) from None
        if not isinstance(values, dict):
            raise UserError(
                f"{where}, line {lines.number}: it is not a JSON object. Write one in each line, such as "
                f'{{"text": "…"}}.'
            )
        yield Row(f"line {lines.number}", values)
