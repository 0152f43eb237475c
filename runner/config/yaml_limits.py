"""Refuse small YAML files that grow without limit when they are read: deeply nested ones, or aliases of aliases."""

from __future__ import annotations

from pathlib import Path

import yaml

from runner.errors import UserError

_MAX_VALUES = 100_000  # in a file, after all aliases are expanded


def check_yaml_files(folder: Path) -> None:
    """Check the size of all config files in a folder before Hydra reads them. Hydra reports files that are not YAML.

    Raises:
        UserError: if a file is too large. The message names it.
    """
    for path in sorted(folder.rglob("*.yaml")):
        try:
            values = _values(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader), {})
        except (yaml.YAMLError, OSError, ValueError):
            continue
        except RecursionError:
            raise UserError(f"{path} is nested too deeply. Make it flatter.") from None
        if values > _MAX_VALUES:
            raise UserError(
                f"{path} has {values} values when its aliases (*name) are expanded, but at most {_MAX_VALUES} are "
                "allowed. Remove aliases."
            )


def _values(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Return the number of values in a node and all nodes below it. An alias is the same node as its anchor."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = _MAX_VALUES  # it counts if the node contains an alias of itself
        inner = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_values(part, known) for part in inner)
    return known[id(node)]
