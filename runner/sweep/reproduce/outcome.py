"""What there is to say, beyond the diff, about a sweep and its reproduction."""

from __future__ import annotations

from runner.diff.compare import Diff
from runner.diff.environment import same_cpu
from runner.diff.join import Side
from runner.diff.messages import namer
from runner.results.format import pluralize
from runner.results.recorded import Recorded


def outcome_lines(found: Diff, recipe: Recorded, stored: frozenset[str]) -> list[str]:
    """Say whether the jobs, the artifacts and the float32 predictions are the recorded ones.

    Args:
        found: the recorded sweep and its reproduction.
        recipe: of the recorded sweep.
        stored: the artifacts that were in the store before.
    """
    return [_jobs_line(found, recipe), *_artifact_lines(found, stored), *_float32_lines(found)]


def is_float32(side: Side) -> bool:
    """Return whether a job computed in float32: by the engine's word, or where it gave none, by its steps."""
    said = {trial["precision"] for trial in side.trials} - {None}
    if said:
        return said == {"float32"}
    return bool(side.steps) and not any("int8" in name or "quantize" in name for name, _ in side.steps)


def _jobs_line(found: Diff, recipe: Recorded) -> str:
    renamed = sum(one.pair.a.row["job"] != one.pair.b.row["job"] for one in found.compared)
    others = renamed + len(found.only_a) + len(found.only_b)
    if others == 0:
        return f"Jobs: the recorded {len(found.compared)}, with the same settings."
    return (
        f"Jobs: {others} differ from the recorded ones, so conf/ or its schema changed since code version "
        f"{recipe.code_version}. For the recorded jobs: {recipe.get_code}."
    )


def _artifact_lines(found: Diff, stored: frozenset[str]) -> list[str]:
    known = [one for one in found.compared if one.pair.same_artifact is not None]
    same = [one for one in known if one.pair.same_artifact]
    reused = sum(one.pair.a.row["artifact"] in stored for one in same)
    made = len(same) - reused
    lines = [
        f"Artifacts: those of {len(same)} of {pluralize(len(known), 'job')} identical byte for byte: "
        f"{reused} reused from the store, {made} made anew."
    ]
    name = namer(found)
    return lines + [f"  Another artifact: {name(one.pair.b)}" for one in known if not one.pair.same_artifact]


def _float32_lines(found: Diff) -> list[str]:
    name = namer(found)
    evaluated = [
        (one, change.difference)
        for one in found.compared
        if (change := one.change("predictions")) is not None and is_float32(one.pair.a) and is_float32(one.pair.b)
    ]
    if not evaluated:
        return ["Predictions: no float32 job has any on both sides."]
    differing = [one for one, number in evaluated if number]
    if not differing:
        return [f"Predictions: identical in every float32 job, {len(evaluated)} in all."]
    demanded = "they must not" if same_cpu(found.environment) else "another CPU may round otherwise"
    line = f"Predictions: differ in {len(differing)} of {pluralize(len(evaluated), 'float32 job')} ({demanded})."
    return [line, *(f"  Other predictions: {name(one.pair.b)}" for one in differing)]
