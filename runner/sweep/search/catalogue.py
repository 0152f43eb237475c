"""Find the techniques of conf/technique that fit a model and a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config.messages import explain
from runner.config.overrides import quoted
from runner.config.schema import Config
from runner.errors import UserError
from runner.sweep.validation import check_job


def fitting(
    conf: Path, techniques: Sequence[str], overrides: Sequence[str], more_conf: Path | None = None
) -> tuple[list[str], dict[str, str]]:
    """Return the techniques that make a valid job, and for each of the others the reason why it does not.

    Args:
        conf: the folder conf/.
        techniques: the names of techniques in conf/technique.
        overrides: Hydra's overrides for the job without its technique.
        more_conf: an additional folder of configs, which Hydra searches after conf/.

    Raises:
        UserError: if the job cannot be composed at all.
    """
    valid, refused = list[str](), dict[str, str]()
    search_path = [f"hydra.searchpath=[{quoted(f'file://{more_conf.absolute()}')}]"] if more_conf else []
    with initialize_config_dir(str(conf), version_base="1.3"):
        for technique in techniques:
            try:
                composed = compose("config", [*search_path, *overrides, f"technique={technique}"])
                job = OmegaConf.to_object(composed)
            except (HydraException, OmegaConfBaseException) as error:
                raise UserError(explain(error) or str(error)) from error
            assert isinstance(job, Config)
            try:
                check_job(job)
                valid.append(technique)
            except UserError as error:
                refused[technique] = str(error)
    return valid, refused
