"""Write and read jobs/KEY.yaml: a job's config, which the sweep composes, and which each of its trials reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from runner.config.schema import Config
from runner.errors import UserError
from runner.store.sweep_folder import SweepFolder

_OF_THE_SWEEP = ("grid",)  # keys that no job has


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Return True: a value that is used twice is written twice, without YAML aliases."""
        return True


def write_jobs(folder: SweepFolder, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the files of jobs. A file that is already right is not written again.

    Most parts of a config are shared by many jobs, so each is turned into YAML once.

    Args:
        folder: the sweep's folder.
        configs: each job's config as plain values, by the job's key.
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
            path.write_bytes(text.encode())  # no trial runs yet, and a file that a power cut damages is written again


def read_job(folder: SweepFolder, key: str) -> Config:
    """Return a job's config.

    Raises:
        UserError: if the file is missing, or is not what the sweep writes.
    """
    path = folder.job(key)
    try:
        return msgspec.convert(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader), Config)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read ({reason}). Repeat the sweep's command: it writes the file again."
        ) from None
