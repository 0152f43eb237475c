"""Slurm, by its own commands and submitit: what can be had, handing over work, waiting for it, taking it back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError

_LOOK_SECONDS = 1.0
_ASK_SECONDS = 10.0  # how often Slurm's accounting is asked after jobs that left no result
_END_SECONDS = 60.0  # that cancelled jobs may take; Slurm kills them after its KillWait, 30 seconds by default
_USABLE = "idle,alloc,mix,comp"


@dataclass(frozen=True)
class Ended:
    """How a Slurm job ended.

    Attributes:
        result: what its function returned; None if it did not return.
        error: then why, in one line.
        log: of its standard error.
    """

    result: Any
    error: str | None
    log: Path


def check(job_name: str) -> None:
    """Check that Slurm answers, keeps accounts, and runs no job of this name.

    Raises:
        UserError: if not. (Without accounts nobody could tell a lost job from a waiting one.)
    """
    _ask("sinfo", "--noheader", "--format=%D")
    try:
        _ask("sacct", "--noheader", "--starttime=now")
    except UserError as error:
        raise UserError(
            f"{error} LAUNCHER=slurm needs Slurm's accounting to notice lost jobs: see docs/cluster.md."
        ) from None
    if running := _jobs_of(job_name):
        raise UserError(
            f"Slurm still has jobs of this sweep: {', '.join(running)}. Wait for them, or `scancel --name={job_name}`, "
            "and repeat the command."
        )


def usable_nodes() -> set[str]:
    """Return the names of the nodes that can run jobs now or later."""
    return set(_ask("sinfo", "--noheader", "--Node", f"--states={_USABLE}", "--format=%N").split())


def submit(
    settings: dict[str, Any],
    folder: Path,
    job_name: str,
    node: str | None,
    function: Callable[..., Any],
    work: Sequence[Any],
) -> list[Any]:
    """Hand over work, one Slurm job per member.

    Args:
        settings: conf/hydra/launcher/slurm.yaml.
        folder: for logs and results, shared by all nodes.
        job_name: by which the jobs can be found again.
        node: where they must run; None for any.
        function: called with each member.
        work: the members.

    Returns:
        submitit's jobs, in the order of the work.

    Raises:
        UserError: if Slurm refuses.
    """
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from omegaconf import OmegaConf

    general = set(OmegaConf.structured(BaseQueueConf))
    settings = settings | {"name": job_name} | ({"nodelist": node} if node else {})
    elsewhere = ("submitit_folder", "max_num_timeout")
    parameters = {key if key in general else f"slurm_{key}": v for key, v in settings.items() if key not in elsewhere}
    try:
        executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=0)
        executor.update_parameters(**parameters)
        return list(executor.map_array(function, work))
    except (RuntimeError, submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        said = str(error).strip().splitlines()[-1]
        raise UserError(f"Slurm did not take the jobs: {said} Check conf/hydra/launcher/slurm.yaml.") from None


def wait(jobs: Sequence[Any], job_name: str, on_end: Callable[[int, Ended], None]) -> None:
    """Wait for all jobs; cancel them if that is interrupted.

    Args:
        jobs: see `submit`.
        job_name: as there.
        on_end: called once with the number of each job, when it has ended.
    """
    pending, asked = dict(enumerate(jobs)), time.monotonic()
    try:
        while pending:
            ask = time.monotonic() - asked > _ASK_SECONDS
            for number, job in list(pending.items()):
                if job.done(force_check=ask):
                    on_end(number, _ended(pending.pop(number)))
                ask, asked = False, time.monotonic() if ask else asked  # one answer is about all of them
            time.sleep(_LOOK_SECONDS)
    except BaseException:
        cancel(job_name)
        raise


def _ended(job: Any) -> Ended:
    log = Path(job.paths.stderr)
    try:
        return Ended(job.result(), None, log)
    except Exception as error:  # whatever kept submitit from reading a result
        state = job.state if job.state != "UNKNOWN" else "lost"
        why = _last_line(str(error)) if type(error).__name__ == "FailedJobError" else f"ended as {state}"
        node = job.get_info(mode="force").get("NodeList", "an unknown node")
        return Ended(None, f"on {node}: the Slurm job {job.job_id} {why}", log)


def _last_line(error: str) -> str:
    """Return what was raised, out of submitit's message: a trace between dashed lines."""
    trace = error.split("----------------------")[1].strip().splitlines()
    return f"raised {trace[-1]}"[:300]


def cancel(job_name: str) -> None:
    """Cancel all jobs of this name, and wait until they have cleaned up."""
    subprocess.run(["scancel", f"--name={job_name}"], capture_output=True)
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline and _jobs_of(job_name):
        time.sleep(_LOOK_SECONDS)


def _jobs_of(job_name: str) -> list[str]:
    return _ask("squeue", "--noheader", "--array", f"--name={job_name}", "--format=%i").split()


def _ask(*command: str) -> str:
    """Run one of Slurm's commands; return what it said.

    Raises:
        UserError: if it is not there or fails.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise UserError(
            f"LAUNCHER=slurm, but there is no `{command[0]}` here. Run it on a machine that submits to a Slurm "
            "cluster, or leave LAUNCHER out."
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise UserError(f"Slurm does not answer (`{command[0]}`): {said.splitlines()[-1]}.") from None
