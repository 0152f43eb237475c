"""jobs/KEY.yaml: what a job is, composed and checked by the sweep, written once, and read by each of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from runner.config.schema import Config
from runner.errors import UserError
from runner.store.sweep_folder import SweepFolder

_OF_THE_SWEEP = ("grid",)  # no job's


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write a value again where it is used again, as a person would."""
        return True


def write_jobs(folder: SweepFolder, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the files of jobs; those that are as they should be stay.

    Most parts of a config are shared by many jobs, so each is turned into YAML once.

    Args:
        folder: of the sweep.
        configs: of each job, by its key, the config as plain values.
    """
    if configs:
        folder.job("any").parent.mkdir(parents=True, exist_ok=True)
    known: dict[tuple[str, int], str] = {}
    for key, config in configs.items():
        parts = []
        for name, value in config.items():
            if name in _OF_THE_SWEEP:
                continue
            if (name, id(value)) not in known:
                known[name, id(value)] = yaml.dump(
                    {name: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120
                )
            parts.append(known[name, id(value)])
        path, text = folder.job(key), "".join(parts)
        if not path.exists() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())  # no trial runs yet; a file that a power cut breaks is written again


def read_job(folder: SweepFolder, key: str) -> Config:
    """Return a job's config.

    Raises:
        UserError: if there is no such file, or not as the sweep writes it.
    """
    path = folder.job(key)
    try:
        return msgspec.convert(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader), Config)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read ({reason}). Repeat the sweep's command: it writes the file again."
        ) from None
