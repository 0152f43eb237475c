"""One job outside a sweep: a sweep of one trial in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from omegaconf import DictConfig

from runner import checks, job, sweep
from runner.config import Config, Role, Stage, plain_config
from runner.isolation.choose import resolve
from runner.plan import Job, Trial, job_key


def run(cfg: Config, composed: DictConfig, folder: Path) -> NoReturn:
    """Prepare and measure once, report, end with the exit code.

    Raises:
        UserError: if something is wrong with the job.
    """
    composed.isolation.kind = cfg.isolation.kind = (resolved := resolve(cfg.isolation.kind))[0]
    checks.check_job(cfg)
    config = plain_config(composed)
    key = job_key(config)
    trial = Trial(key, round=0, position=0, role=Role.variant)
    plan = sweep.Plan("single", cfg, resolved[1], [Job(key, config, ())], {key: None}, [trial])

    def launch(batch: list[list[str]], first: int) -> None:
        for overrides in batch:
            prepares = f"stage={Stage.prepare.value}" in overrides
            cfg.stage = Stage.prepare if prepares else Stage.trial
            note = sweep.prepared_file(folder, key) if prepares else sweep.trial_file(folder, trial)
            note.parent.mkdir(parents=True, exist_ok=True)
            job.run(cfg, key, plan.name, folder, note.parent)

    sweep.run(plan, folder, launch, fresh=False, retry=None)
    raise SystemExit(sweep.finish(folder))
