"""python -m docs.generate: write the pages that follow from the code. A test checks that they are current."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from docs.layout import layout_page
from runner.config.schema import Config
from runner.results.schema import SCHEMAS, VERSION
from runner.techniques.step import Step, step_class, step_modules

DOCS = Path(__file__).parent
_TYPES = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "anything"}
_FIELD = re.compile(r"^    (\w+): .*?(?:  # (.*))?$")
_ATTRIBUTE = re.compile(r"^(\w+(?:, \w+)*): (.*)$")
_TABLES = {
    "results": "one row per trial",
    "summary": "one row per job",
    "samples": "one row per timed call",
    "memory": "one row per sample of resident memory",
    "load": "one row per probe of an open load",
    "predictions": "one row per text and job",
}


def pages() -> dict[str, str]:
    """Return the generated pages by file name."""
    return {
        "layout.md": layout_page(),
        "configuration.md": _configuration(),
        "steps.md": _steps(),
        "columns.md": _columns(),
    }


def _configuration() -> str:
    lines = [
        "# Every configuration key",
        "",
        "Generated from `runner/config/` by `python -m docs.generate`. Keys are set in the YAML of `conf/`, "
        "in a grid, or on the command line (`threads=2`, `workload.batch_size=8`). An unknown key or a wrong type is "
        "refused before anything starts.",
    ]
    for prefix, schema in _groups(Config, ""):
        group = prefix.split(".")[0]
        place = f"`conf/{group}/`. " if group and (DOCS.parent / "conf" / group).is_dir() else ""
        lines += ["", f"## {prefix.rstrip('.') or 'A job'}", "", f"{place}{_summary(schema)}", ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        comments, types = _comments(schema), get_type_hints(schema)
        for field in fields(schema):
            if not _schemas_in(types[field.name]):
                row = (f"`{prefix}{field.name}`", _type(types[field.name]), _default(field), comments[field.name])
                lines.append(_row(row))
    return "\n".join(lines) + "\n"


def _steps() -> str:
    lines = [
        "# Every step",
        "",
        "Generated from `runner/techniques/` by `python -m docs.generate`. A technique is a list of steps and an "
        "engine; a step is written as `{step: name, key: value}`. What it takes must be what the step before gives.",
    ]
    for name in sorted(step_modules()):
        found = step_class(name, "docs")
        lines += ["", f"## {name}", "", _about(found)]
        meanings = _meanings(found)
        if own := list(fields(found)):
            lines += ["", "| key | type | default | meaning |", "|---|---|---|---|"]
            types = get_type_hints(found)
            lines += [_row((f"`{f.name}`", _type(types[f.name]), _default(f), meanings[f.name])) for f in own]
    return "\n".join(lines) + "\n"


def _columns() -> str:
    lines = [
        "# Every column",
        "",
        f"Generated from `runner/results/records/` (version {VERSION}) by `python -m docs.generate`. A name ends in "
        "its unit. The same descriptions travel in the Parquet files, as field metadata.",
    ]
    for table, schema in SCHEMAS.items():
        lines += ["", f"## {table}.parquet", "", f"{_TABLES[table].capitalize()}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [_row((f"`{f.name}`", str(f.type), f.metadata[b"description"].decode())) for f in schema]
    return "\n".join(lines) + "\n"


def _groups(schema: type, prefix: str) -> Iterator[tuple[str, type]]:
    """Yield a dataclass and all below it, each with what its keys begin with."""
    yield prefix, schema
    types = get_type_hints(schema)
    for field in fields(schema):
        for inner in _schemas_in(types[field.name]):
            if field.name != "teacher":  # a model, like `model`
                yield from _groups(inner, f"{prefix}{field.name}.")


def _schemas_in(type_: Any) -> list[type]:
    """Return the dataclasses that a type consists of: itself, or with others in a list or an alternative."""
    return [one for one in (type_, *get_args(type_)) if isinstance(one, type) and is_dataclass(one)]


def _comments(schema: type) -> dict[str, str]:
    """Return the comment beside each field; empty where there is none."""
    found = {field.name: "" for field in fields(schema)}
    for line in inspect.getsource(schema).splitlines():
        if (match := _FIELD.match(line)) and match[1] in found:
            found[match[1]] = (match[2] or "").strip()
    return found


def _summary(schema: type) -> str:
    return " ".join(inspect.getdoc(schema).split())  # type: ignore[union-attr]


def _about(found: type[Step]) -> str:
    """Return what the docstrings of a step's module and class say, less the list of its keys."""
    module, own = (inspect.getdoc(of) or "" for of in (inspect.getmodule(found), found))
    return _flowing(f"{module}\n\n{own.partition('Attributes:')[0]}")


def _flowing(text: str) -> str:
    """Return paragraphs, each on one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _meanings(found: type[Step]) -> dict[str, str]:
    """Return the meaning of each key, as the class that declares it says."""
    meanings = {field.name: "" for field in fields(found)}
    for class_ in reversed(found.__mro__):
        if is_dataclass(class_):
            said = _comments(class_) | _attributes(class_)
            meanings |= {name: meaning for name, meaning in said.items() if meaning and name in meanings}
    return meanings


def _attributes(found: type) -> dict[str, str]:
    """Return the meaning of each key out of a docstring's list."""
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in textwrap.dedent(inspect.cleandoc(found.__doc__ or "").partition("Attributes:\n")[2]).splitlines():
        if match := _ATTRIBUTE.match(line):
            names = match[1].split(", ")
            meanings |= dict.fromkeys(names, match[2].strip())
        elif line.startswith(" "):
            meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
        else:
            names = []
    return meanings


def _type(type_: Any) -> str:
    if get_origin(type_) in (list, dict):
        return {list: "list", dict: "mapping"}[get_origin(type_)]
    if choices := [one for one in get_args(type_) if one is not NoneType]:
        return " or ".join([*map(_type, choices), "null"])
    if isinstance(type_, type) and issubclass(type_, Enum):
        return ", ".join(one.name for one in type_)
    return _TYPES[type_]


def _default(field: Field[Any]) -> str:
    value = field.default_factory() if field.default_factory is not NO_DEFAULT else field.default
    if value is NO_DEFAULT or value == MISSING:
        return "required"
    if isinstance(value, Enum):
        return f"`{value.name}`"
    plain = {None: "null", True: "true", False: "false"}
    return f"`{plain[value] if value is None or isinstance(value, bool) else value}`"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
