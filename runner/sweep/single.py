"""One job outside a sweep: a sweep of one trial in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from runner.config.messages import in_own_file
from runner.config.schema import Config, Role, plain_config
from runner.console import say
from runner.errors import UserError
from runner.isolation.choose import resolve
from runner.sweep import run as sweep
from runner.sweep import trial as job
from runner.sweep import validation as checks
from runner.sweep.jobs import Job, Trial, job_key


def run(cfg: Config, composed: DictConfig, folder: Path) -> NoReturn:
    """Prepare and measure once, report, end with the exit code.

    Raises:
        UserError: if something is wrong with the job.
    """
    kind, note = resolve(cfg.isolation.kind)
    composed.isolation.kind = cfg.isolation.kind = kind
    config = plain_config(composed)
    try:
        remarks = checks.check_job(cfg)
    except UserError as error:
        raise in_own_file(error, config, HydraConfig.get().runtime.choices) from None
    for remark in remarks:
        say(remark)
    key = job_key(config)
    cfg.measure.rounds, cfg.measure.reruns, cfg.measure.half_width = 1, 0, None
    trial = Trial(key, round=0, position=0, role=Role.variant, baseline=None)
    plan = sweep.Plan("single", cfg, note, [Job(key, (), cfg, config)], {key: None}, [], [])

    def launch(batch: list[list[str]], first: int) -> None:
        own = folder / "trials" / trial.name
        own.mkdir(parents=True, exist_ok=True)
        job.run_trial(cfg, key, plan.name, folder, own)

    sweep.run(plan, folder, launch, fresh=False, retry=None)
    raise SystemExit(sweep.finish(folder))
