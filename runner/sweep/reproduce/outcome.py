"""Compare a sweep with its reproduction beyond the diff: the jobs, the artifacts and the float32 predictions."""

from __future__ import annotations

from runner.diff.compare import Diff
from runner.diff.environment import same_cpu
from runner.diff.join import Side
from runner.diff.messages import namer
from runner.results.format import pluralize
from runner.results.recorded import Recorded


def outcome_lines(diff: Diff, recipe: Recorded, stored: frozenset[str]) -> list[str]:
    """Return lines that say whether the jobs, the artifacts and the float32 predictions are the recorded ones.

    Args:
        diff: the diff between the recorded sweep and its reproduction.
        recipe: the recorded sweep.
        stored: the artifacts that were already in the store.
    """
    return [_jobs_line(diff, recipe), *_artifact_lines(diff, stored), *_float32_lines(diff)]


def is_float32(side: Side) -> bool:
    """Return whether a job computed in float32: by the engine's report, or else by the names of the steps."""
    precisions = {trial["precision"] for trial in side.trials} - {None}
    if precisions:
        return precisions == {"float32"}
    return bool(side.steps) and not any("int8" in name or "quantize" in name for name, _ in side.steps)


def _jobs_line(diff: Diff, recipe: Recorded) -> str:
    renamed = sum(job.pair.a.row["job"] != job.pair.b.row["job"] for job in diff.compared)
    others = renamed + len(diff.only_a) + len(diff.only_b)
    if others == 0:
        return f"Jobs: the recorded {len(diff.compared)}, with the same settings."
    return (
        f"Jobs: {others} differ from the recorded ones, so conf/ or its schema changed since code version "
        f"{recipe.code_version}. To get the recorded jobs: {recipe.get_code}."
    )


def _artifact_lines(diff: Diff, stored: frozenset[str]) -> list[str]:
    known = [job for job in diff.compared if job.pair.same_artifact is not None]
    same = [job for job in known if job.pair.same_artifact]
    reused = sum(job.pair.a.row["artifact"] in stored for job in same)
    made = len(same) - reused
    lines = [
        f"Artifacts: {len(same)} of {pluralize(len(known), 'job')} have an artifact that is identical byte for byte: "
        f"{reused} reused from the store, {made} made again."
    ]
    name = namer(diff)
    return lines + [f"  Another artifact: {name(job.pair.b)}" for job in known if not job.pair.same_artifact]


def _float32_lines(diff: Diff) -> list[str]:
    name = namer(diff)
    evaluated = [
        (job, change.difference)
        for job in diff.compared
        if (change := job.change("predictions")) is not None and is_float32(job.pair.a) and is_float32(job.pair.b)
    ]
    if not evaluated:
        return ["Predictions: no float32 job has predictions in both sweeps."]
    differing = [job for job, number in evaluated if number]
    if not differing:
        return [f"Predictions: identical in every float32 job, {len(evaluated)} in all."]
    cause = "they must not" if same_cpu(diff.environment) else "another CPU may round in another way"
    line = f"Predictions: differ in {len(differing)} of {pluralize(len(evaluated), 'float32 job')} ({cause})."
    return [line, *(f"  Other predictions: {name(job.pair.b)}" for job in differing)]
