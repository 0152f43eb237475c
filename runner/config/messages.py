"""Turn the errors of Hydra and OmegaConf (such as a mistyped key) into messages that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from runner.config.paths import own_conf
from runner.config.schema import Config
from runner.errors import UserError, did_you_mean, storage_error

GROUPS = ("model", "technique", "task", "workload", "measure", "isolation", "load", "grid")


def check_overrides(arguments: list[str]) -> None:
    """Refuse mistakes that Hydra accepts silently.

    With `technique=[a,b]`, Hydra merges a and b into one job instead of running both. With `+thread=2`, it adds a key
    that nothing reads.

    Raises:
        UserError: if there is such a mistake. The message names the argument and how to write it.
    """
    parser = OverridesParser.create()
    for override in parser.parse_overrides([text for text in arguments if "=" in text and not text.startswith("-")]):
        key = override.key_or_group
        if key == "hydra/launcher" and override.value() == "slurm" and not find_spec("submitit"):
            raise UserError(
                "LAUNCHER=slurm needs Hydra's submitit launcher, which is not installed. Install Pinbox with its "
                "extra: pip install 'pinbox[cluster]'. In a checkout, docs/cluster.md says how."
            )
        values = None if override.is_sweep_override() else override.value()
        if isinstance(values, list) and key in (*GROUPS, "threads", "seed"):
            choices = ",".join(map(str, values))
            raise UserError(
                f"{override.input_line} is a list, which is not a sweep: Hydra would merge its entries into one job. "
                f"To run each of them, write {key}={choices}."
            )
        siblings = _siblings(key)
        if override.is_add() and siblings and key.rpartition(".")[2] not in siblings:
            raise UserError(f"{override.input_line}: there is no key '{key}'. {did_you_mean(key, siblings)}")


def explain(error: BaseException) -> str | None:
    """Return a plain message for an error that the user can fix; None for a bug in Pinbox."""
    if isinstance(error, UserError):
        return str(error)
    if full := storage_error(error):
        return str(full)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing(error)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' is not an override. Write key=value; quote values with special characters."
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _composition(error)
    if isinstance(error, yaml.MarkedYAMLError):
        return _not_yaml(error)
    if isinstance(error, UnicodeDecodeError) and (files := list(_not_utf8())):
        return f"{files[0]} is not UTF-8 text. Save it as UTF-8."
    return None


def in_own_file(error: UserError, config: Mapping[str, Any], choices: Mapping[str, str | None]) -> UserError:
    """Return an error of a job. If the user's own config file caused it, the message begins with the file's path.

    Args:
        error: the error that a check raised.
        config: the job's config, as plain values.
        choices: the file that was chosen for each config group.
    """
    folder, at, named = own_conf(), -1, None
    for group in GROUPS if folder else ():
        name = (config.get(group) or {}).get("name")
        mentions = [m.start() for m in re.finditer(rf"\b{group}(?: '{re.escape(str(name))}'|\.\w)", str(error))]
        file = Path("conf", group, f"{choices.get(group)}.yaml")
        if mentions and mentions[-1] > at and file.exists():
            at, named = mentions[-1], file  # the last mention is the most specific one
    return UserError(f"{named}: {error}") if named else error


def _missing(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    group = group.lstrip("/") or "config"
    return f"There is no {group} '{name}' (conf/{group}/{name}.yaml). {did_you_mean(name, error.options or [])}"


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    """Return a message that says where a file is not YAML, and why."""
    mark = error.problem_mark or error.context_mark
    where = f"{_from_here(Path(mark.name))}, line {mark.line + 1}, column {mark.column + 1}" if mark else "a config"
    why = "; ".join(filter(None, (error.context, error.problem)))
    return f"{where}: this is not YAML: {why}. Indent with spaces, and close every quote and bracket."


def _not_utf8() -> Iterator[Path]:
    for path in sorted((own_conf() or Path("conf")).rglob("*.yaml")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            yield _from_here(path)


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _composition(error: BaseException) -> str:
    """Return a message that names the key at fault, its value and the allowed values."""
    links = [str(link) for link in _causes(error)]
    text = "\n".join(links)
    file = re.search(r"In '([^']+)'", text)
    where = f"conf/{file[1]}.yaml: " if file else ""
    full_key = re.search(r"full_key: (\S+)", text)
    override = re.search(r"Error merging override (.+)", text)
    key = full_key[1] if full_key else (override[1].partition("=")[0] if override else "")
    if re.search(r"Key '[^']+' not in|is not in struct", text):
        hint = did_you_mean(key.rpartition(".")[2], _siblings(key))
        return f"{where}there is no key '{key}'. {hint}"
    if group := re.search(r"Could not override '([^']+)'", text):
        return f"There is no config group '{group[1]}'. {did_you_mean(group[1], GROUPS)}"
    for first in text.splitlines():
        if re.search(r"could not be converted|Invalid value|Incompatible|Cannot", first):
            argument = f" ({override[1]})" if override else ""
            return f"{where}{key}{argument}: {first.rstrip('.')}."
    if "Missing mandatory value" in text:
        return f"{where}{key} has no value. Give it one."
    reasons = [line for line in text.splitlines() if not line.endswith(":")]
    return where + (reasons or links)[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _siblings(key: str) -> list[str]:
    """Return the keys of the schema on the same level as this one; none if the schema does not name them."""
    schema: Any = Config
    for part in key.split(".")[:-1]:
        schema = get_type_hints(schema).get(part) if is_dataclass(schema) else None
    return [field.name for field in fields(schema)] if is_dataclass(schema) else []
