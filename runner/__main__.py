"""`python -m runner`: one Hydra job. With `-m grid=NAME` a whole sweep; see conf/config.yaml for what can be set."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from runner.config import messages as explain
from runner.config import safety as composed
from runner.config import schema as config
from runner.config.paths import CONF, check_own_conf
from runner.errors import exit_code_of, printable, stop_before


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _run_one(composed: DictConfig) -> str:
    """Run one job; Hydra calls this for every trial of a sweep."""
    from runner.sweep import single

    cfg = OmegaConf.to_object(composed)
    assert isinstance(cfg, config.Config)
    context = HydraConfig.get()
    folder = Path(context.runtime.output_dir)
    if context.mode is RunMode.MULTIRUN:
        from runner.sweep import trial as job
        from runner.sweep.jobs import job_key

        name = context.runtime.choices.get("grid") or "sweep"
        return job.run_trial(cfg, job_key(config.plain_config(composed)), name, Path(context.sweep.dir), folder)
    return single.run(cfg, composed, folder)


def main() -> NoReturn:
    """Run; end with 0 if all is ok, 1 if some job failed, 2 if nothing could run."""
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's background jobs ignore it otherwise
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # so that errors reach us, to be told in our own words
    config.register()
    try:
        check_own_conf()
        explain.check_overrides(sys.argv[1:])
        composed.check_command(sys.argv[1:], CONF)
        _run_one()
    except BaseException as error:
        if stop := stop_before(error):
            sys.exit(exit_code_of(stop))
        message = explain.explain(error)
        if message is None:
            raise
        print(f"pinbox: {printable(message)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def _terminate(signal_number: int, frame: object) -> NoReturn:
    """End through `finally` blocks, so that the box is removed."""
    raise SystemExit(128 + signal_number)


if __name__ == "__main__":
    main()
