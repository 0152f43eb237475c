"""Submit jobs to Slurm, wait for them and cancel them, with submitit and Slurm's own commands."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError

_POLL_SECONDS = 1.0
_ACCOUNTING_SECONDS = 10.0  # the interval in which Slurm's accounting is asked about jobs that have left no result
_EXIT_SECONDS = 60.0  # the time for cancelled jobs to end; Slurm kills them after its KillWait, by default 30 seconds
_USABLE = "idle,alloc,mix,comp"


@dataclass(frozen=True)
class Ended:
    """How a Slurm job ended.

    Attributes:
        result: the value that the job's function returned, or None if it did not return.
        error: the reason in one line if the function did not return.
        log: the file with the job's standard error.
    """

    result: Any
    error: str | None
    log: Path


def check(job_name: str) -> None:
    """Check that Slurm answers, that its accounting works, and that it has no job with this name.

    Accounting is needed because only it can distinguish a lost job from a waiting one.

    Raises:
        UserError: if one of the checks fails.
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
    """Submit one Slurm job for each item of `work`.

    Args:
        settings: the settings of conf/hydra/launcher/slurm.yaml.
        folder: the folder for logs and results, which all nodes share.
        job_name: the name of all jobs, by which they are found again.
        node: the node on which the jobs must run, or None for any node.
        function: the function that a job calls with its item.
        work: the items.

    Returns:
        submitit's jobs, in the order of the items.

    Raises:
        UserError: if Slurm refuses the jobs.
    """
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from omegaconf import OmegaConf

    general = set(OmegaConf.structured(BaseQueueConf))
    settings = settings | {"name": job_name} | ({"nodelist": node} if node else {})
    ignored = ("submitit_folder", "max_num_timeout")  # the executor gets them below
    parameters = {key if key in general else f"slurm_{key}": v for key, v in settings.items() if key not in ignored}
    try:
        executor = submitit.AutoExecutor(folder, cluster="slurm", slurm_max_num_timeout=0)
        executor.update_parameters(**parameters)
        return list(executor.map_array(function, work))
    except (RuntimeError, submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"Slurm did not accept the jobs: {reason} Check conf/hydra/launcher/slurm.yaml.") from None


def wait(jobs: Sequence[Any], job_name: str, on_end: Callable[[int, Ended], None]) -> None:
    """Wait for all jobs. If the wait is interrupted, cancel them.

    Args:
        jobs: the jobs that `submit` returned.
        job_name: the name of the jobs.
        on_end: a function that is called when a job has ended. It gets the job's number and how the job ended.
    """
    pending, asked_at = dict(enumerate(jobs)), time.monotonic()
    try:
        while pending:
            ask = time.monotonic() - asked_at > _ACCOUNTING_SECONDS
            for number, job in list(pending.items()):
                if job.done(force_check=ask):
                    on_end(number, _ended(pending.pop(number)))
                ask, asked_at = False, time.monotonic() if ask else asked_at  # one answer covers all jobs
            time.sleep(_POLL_SECONDS)
    except BaseException:
        cancel(job_name)
        raise


def _ended(job: Any) -> Ended:
    log = Path(job.paths.stderr)
    try:
        return Ended(job.result(), None, log)
    except Exception as error:  # submitit raises many types if it cannot read a result
        state = job.state if job.state != "UNKNOWN" else "lost"
        reason = _last_line(str(error)) if type(error).__name__ == "FailedJobError" else f"ended as {state}"
        node = job.get_info(mode="force").get("NodeList", "an unknown node")
        return Ended(None, f"on {node}: the Slurm job {job.job_id} {reason}", log)


def _last_line(error: str) -> str:
    """Return the exception from submitit's message, which has a traceback between dashed lines."""
    trace = error.split("----------------------")[1].strip().splitlines()
    return f"raised {trace[-1]}"[:300]


def cancel(job_name: str) -> None:
    """Cancel all jobs with this name, and wait until they have ended."""
    subprocess.run(["scancel", f"--name={job_name}"], capture_output=True)
    deadline = time.monotonic() + _EXIT_SECONDS
    while time.monotonic() < deadline and _jobs_of(job_name):
        time.sleep(_POLL_SECONDS)


def _jobs_of(job_name: str) -> list[str]:
    return _ask("squeue", "--noheader", "--array", f"--name={job_name}", "--format=%i").split()


def _ask(*command: str) -> str:
    """Run one of Slurm's commands, and return its output.

    Raises:
        UserError: if the command is missing or fails.
    """
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise UserError(
            f"LAUNCHER=slurm, but there is no `{command[0]}` here. Run it on a machine that submits to a Slurm "
            "cluster, or leave LAUNCHER out."
        ) from None
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        output = (getattr(error, "stderr", "") or str(error)).strip()
        raise UserError(f"Slurm does not answer (`{command[0]}`): {output.splitlines()[-1]}.") from None
