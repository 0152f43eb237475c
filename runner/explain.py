"""Hydra's and OmegaConf's errors in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config import Config
from runner.errors import UserError, did_you_mean

GROUPS = ("model", "technique", "task", "workload", "measure", "isolation", "grid")


def check_overrides(arguments: list[str]) -> None:
    """Refuse `key=[a,b]` where Hydra would merge a and b into one job instead of running both.

    Raises:
        UserError: naming the argument and how to write it.
    """
    for argument in arguments:
        if "=[" not in argument or argument.startswith("-"):
            continue
        override = OverridesParser.create().parse_override(argument)
        values = override.value()
        if isinstance(values, list) and override.key_or_group in (*GROUPS, "threads", "seed"):
            choices = ",".join(map(str, values))
            raise UserError(
                f"{argument} is a list, which is not a sweep: Hydra would merge its members into one job. "
                f"To run each, write {override.key_or_group}={choices}."
            )


def explain(error: BaseException) -> str | None:
    """Return a plain message for an error of the user's making, None for a bug of ours."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing(error)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' is not an override. Write key=value; quote values with special characters."
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _composition(error)
    return None


def _missing(error: MissingConfigException) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    group = group.lstrip("/") or "config"
    return f"There is no {group} '{name}' (conf/{group}/{name}.yaml). {did_you_mean(name, error.options or [])}"


def _composition(error: BaseException) -> str:
    """Say which key is at fault, what it was given, and what would be allowed."""
    text = "\n".join(str(link) for link in _causes(error))
    file = re.search(r"In '([^']+)'", text)
    where = f"conf/{file[1]}.yaml: " if file else ""
    full_key = re.search(r"full_key: (\S+)", text)
    override = re.search(r"Error merging override (.+)", text)
    unknown = re.search(r"Key '([^']+)' (?:not in|is not in)", text) or re.search(r"Could not override '([^']+)'", text)
    if (unknown and "Could not override" not in text) or (unknown and "is not in struct" in text):
        key = full_key[1] if full_key else unknown[1]
        return f"{where}there is no key '{key}'. {did_you_mean(key.rpartition('.')[2], _siblings(key))}"
    if group := re.search(r"Could not override '([^']+)'", text):
        return f"There is no config group or key '{group[1]}'. {did_you_mean(group[1], [*GROUPS, *_siblings('')])}"
    key = full_key[1] if full_key else (override[1].partition("=")[0] if override else "")
    for link in _causes(error):
        first = str(link).splitlines()[0]
        if re.search(r"could not be converted|Invalid value|Incompatible|Cannot", first):
            given = f" ({override[1]})" if override else ""
            return f"{where}{key}{given}: {first}."
    if "Missing mandatory value" in text or "MISSING" in text:
        return f"{where}{key} has no value, and must have one."
    return where + text.splitlines()[0]


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _siblings(key: str) -> list[str]:
    """Return the keys that the schema has beside this one."""
    node = OmegaConf.structured(Config)
    for part in key.split(".")[:-1]:
        annotation = OmegaConf.get_type(node, part)
        if annotation is None or not hasattr(annotation, "__dataclass_fields__"):
            return []
        node = OmegaConf.structured(annotation)
    return [str(name) for name in node]
