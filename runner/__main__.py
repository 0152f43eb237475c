"""`python -m runner`: run one Hydra job, or a whole sweep with `-m grid=NAME`. All settings are in conf/config.yaml."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from runner.config.messages import check_overrides, explain
from runner.config.paths import CONF, check_own_conf
from runner.config.safety import check_command
from runner.config.schema import register
from runner.console import end_region
from runner.errors import exit_code_of, printable, stop_before


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def _run_one(composed: DictConfig) -> str:
    """Run one job, or the trial of a sweep that `composed` names. Hydra calls this function."""
    from runner.store.sweep_folder import SweepFolder
    from runner.sweep.launching import trial_asked
    from runner.sweep.single import run_single
    from runner.sweep.trial import run_trial

    context = HydraConfig.get()
    name = trial_asked(composed)
    if name is None:
        run_single(composed, Path(context.runtime.output_dir))
    return run_trial(SweepFolder(Path(context.sweep.dir)), name)


def main() -> NoReturn:
    """Run, and end with exit code 0 if all is ok, 1 if some job failed, or 2 if nothing could run."""
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's background jobs ignore it otherwise
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # so that Hydra raises errors, which are explained below
    register()
    try:
        check_own_conf()
        check_overrides(sys.argv[1:])
        check_command(sys.argv[1:], CONF)
        _run_one()
    except BaseException as error:
        end_region()
        if stop := stop_before(error):
            sys.exit(exit_code_of(stop))
        message = explain(error)
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
