"""Run one job outside a sweep, as a sweep of one trial in its own folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from runner.config.messages import in_own_file
from runner.config.schema import Config, plain_config
from runner.console import say
from runner.errors import UserError
from runner.isolation.choose import resolve
from runner.results.records.plan import TrialSpec
from runner.store.sweep_folder import SweepFolder
from runner.sweep.jobs import Job, job_key
from runner.sweep.plan import Plan
from runner.sweep.run import finish, run
from runner.sweep.trial import run_trial
from runner.sweep.validation import check_job


def run_single(composed: DictConfig, path: Path) -> NoReturn:
    """Prepare and measure a job once, print the result, and end the process with the exit code.

    Args:
        composed: the composed config without Hydra's own part.
        path: the folder of the sweep.

    Raises:
        UserError: if the job is not valid.
    """
    composed.isolation.kind, note = resolve(composed.isolation.kind)
    cfg, config = OmegaConf.to_object(composed), plain_config(composed)
    assert isinstance(cfg, Config)
    try:
        remarks = check_job(cfg)
    except UserError as error:
        raise in_own_file(error, config, HydraConfig.get().runtime.choices) from None
    for remark in remarks:
        say(remark)
    job, folder = Job(job_key(config), cfg, config), SweepFolder(path)
    once = replace(cfg, measure=replace(cfg.measure, rounds=1, reruns=0, half_width=None))
    plan = Plan("single", once, note, [job], {job.key: None}, overrides=[], waterfalls=[])

    def launch(trials: list[TrialSpec], first: int) -> None:
        for trial in trials:
            run_trial(folder, trial.name)

    run(plan, folder, launch, fresh=False, retry=None)
    raise SystemExit(finish(folder))
