"""Check that a composed config holds only values and no code.

Hydra calls what `_target_` names, `hydra.job_logging` and `hydra.hydra_logging` can build any class, and
`hydra.job.env_set` changes the environment of every process that is started. So an untrusted YAML file could run any
code. Hydra 1.3 refuses only some callables by name. This module allows only those that Pinbox itself needs, before
Hydra calls any.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
from omegaconf.grammar_parser import parse

from runner.config.paths import own_conf
from runner.config.yaml_limits import check_yaml_files
from runner.errors import UserError

_PLUGINS = ("hydra.launcher._target_", "hydra.sweeper._target_")
_PLUGIN_PACKAGES = ("hydra_plugins.", "hydra._internal.core_plugins.")  # from these, Hydra takes only installed plugins
_CALLBACKS = {"hydra.callbacks.progress._target_": "runner.sweep.progress.Progress"}
_RESOLVERS_OF_HYDRA = ("${hydra:", "${now:")  # allowed in Hydra's own keys: they give names of choices, and the time


def check_command(arguments: list[str], conf: Path) -> None:
    """Compose the config as Hydra will, and check the result. If it cannot be composed, Hydra reports the error.

    Args:
        arguments: the arguments of the command line.
        conf: the folder of the config.

    Raises:
        UserError: see `check_composed` and `check_yaml_files`.
    """
    asked = get_args_parser().parse_args(arguments)
    for others in (own_conf(), asked.config_dir, asked.config_path):
        if others:
            check_yaml_files(Path(others))
    search_path = create_config_search_path(asked.config_path or str(conf))
    if asked.config_dir:
        folder = f"file://{Path(asked.config_dir).absolute()}"
        search_path.prepend("command-line", folder, SearchPathQuery(provider="schema"))
    try:
        config = ConfigLoaderImpl(search_path).load_configuration(
            asked.config_name or "config", asked.overrides, RunMode.MULTIRUN, validate_sweep_overrides=False
        )
    except (HydraException, OmegaConfBaseException):
        return
    check_composed(config)


def check_composed(config: DictConfig) -> None:
    """Check a composed config, including Hydra's own part if it has one.

    Raises:
        UserError: if a value would be called, would be read from the environment, or would change it. The message names
            the key.
    """
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    hydra = plain.pop("hydra", None)
    if hydra is not None:
        _check_hydra(hydra)
    for key, value in [*_leaves(hydra, "hydra"), *_leaves(plain, "")]:
        if "_target_" in key.split(".") and not _is_ours(key, value):
            raise UserError(f"{key} is {value!r:.100}, but a config may not name code to run. Remove it.")
        allowed = _RESOLVERS_OF_HYDRA if key.startswith("hydra.") else ()
        if isinstance(value, str) and any(not call.startswith(allowed) for call in _resolvers(value)):
            raise UserError(
                f"{key} is '{value:.100}', but a value may refer only to other keys, as ${{model.name}} does, because "
                "its result would be recorded. Write the value itself."
            )


def _is_ours(key: str, value: Any) -> bool:
    """Return whether Pinbox needs Hydra to use this class."""
    if key in _PLUGINS:
        return str(value).startswith(_PLUGIN_PACKAGES)
    return bool(value == _CALLBACKS.get(key))


def _check_hydra(hydra: dict[Any, Any]) -> None:
    job = hydra.get("job") or {}
    if job.get("env_set"):
        raise UserError(
            f"hydra.job.env_set has {', '.join(map(str, job['env_set']))}, but a config may not change the "
            "environment. Set it in the shell instead."
        )
    for key in ("job_logging", "hydra_logging"):
        if (hydra.get(key) or {"root": "of Hydra's own"}).get("root") is not None:
            raise UserError(
                f"hydra.{key} is set, but a config of logging may name code to run. Pinbox does its own logging. "
                f"Leave hydra/{key} at none."
            )


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield every value that is neither a mapping nor a list, with its full key."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, key)
    else:
        yield key, node


def _resolvers(value: str) -> Iterator[str]:
    """Yield the calls of OmegaConf's resolvers in a value, such as ${oc.env:HOME}, at any depth."""
    waiting = [parse(value)] if "${" in value else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
            yield node.getText()
        waiting += list(node.getChildren()) if hasattr(node, "getChildren") else []
