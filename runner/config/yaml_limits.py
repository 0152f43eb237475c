"""A YAML file that is small, and grows without end when it is read: nested thousands deep, or aliases of aliases."""

from __future__ import annotations

from pathlib import Path

import yaml

from runner.errors import UserError

_MAX_VALUES = 100_000  # of a file, all aliases written out


def check_yaml_files(folder: Path) -> None:
    """Check the size of all config files in a folder, before Hydra reads one; what is no YAML is left for Hydra to say.

    Raises:
        UserError: naming the file.
    """
    for path in sorted(folder.rglob("*.yaml")):
        try:
            values = _values(yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader), {})
        except (yaml.YAMLError, OSError, ValueError):
            continue
        except RecursionError:
            raise UserError(f"{path} is nested too deep. Make it flatter.") from None
        if values > _MAX_VALUES:
            raise UserError(
                f"{path} has {values} values when each alias (*name) is replaced by what it stands for, and at most "
                f"{_MAX_VALUES} are read. Remove aliases."
            )


def _values(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Return how many values a node and all below it are; an alias is the very node that it stands for."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = _MAX_VALUES  # for an alias of itself within
        inner = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        known[id(node)] = 1 + sum(_values(part, known) for part in inner)
    return known[id(node)]
