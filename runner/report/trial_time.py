"""Show where the time of a trial goes: timed calls, pairing, and everything around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from runner.report.recordings import TRIAL_SECONDS
from runner.report.view import Group
from runner.results.tables import Row

#: Title and explanation of each column, in order; the last seven make up "outside".
PARTS = {
    "Whole trial": "from the request to the result",
    "Timed turns": "its own turns, which are the purpose of the trial",
    "Partner's turns": "waiting for the baseline's box to take its turns: the price of a fair comparison",
    "Outside": "all the rest, and the share of starting the partner",
    "Partner's start": "the partner starts once a round; here divided among the round's trials",
    "Box": "making and removing it",
    "Import": "importing the engine",
    "Load": "from files to a model",
    "First call": "the first inference",
    "Warm-up": "calls before the timed ones",
    "Other": "Python's start, reading inputs, writing results, the runner outside the box",
}


@dataclass(frozen=True)
class TrialTime:
    """The table of one group: each variant's label, and its seconds in the order of PARTS."""

    rows: list[tuple[str, list[float]]]

    def texts(self) -> list[tuple[str, list[str]]]:
        """Return the rows as text, in seconds."""
        return [(label, [_seconds(value) for value in values]) for label, values in self.rows]


def trial_time(group: Group, ok: Mapping[str, Sequence[Row]]) -> TrialTime | None:
    """Return the medians over each variant's ok trials, or None if no trial recorded its times.

    Args:
        ok: see `runner.report.recordings.ok_trials`.
    """
    by_job = {
        job: [t for t in ok.get(job, []) if all(t[name] is not None for name in TRIAL_SECONDS)]
        for job in (variant.row["job"] for variant in group.variants)
    }
    all_trials = [trial for trials in by_job.values() for trial in trials]
    if not all_trials:
        return None
    share = fmean(trial["partner_start_seconds"] for trial in all_trials)
    rows = [(v.label, _medians(by_job[v.row["job"]], share)) for v in group.variants if by_job[v.row["job"]]]
    return TrialTime(rows)


def _medians(trials: Sequence[Row], share_seconds: float) -> list[float]:
    parts = [_parts(trial, share_seconds) for trial in trials]
    return [median(values) for values in zip(*parts, strict=True)]


def _parts(trial: Row, share_seconds: float) -> list[float]:
    """Return one trial's seconds in the order of PARTS.

    Args:
        share_seconds: the trial's share of starting the partner, which only the first trial of a round waited for.
    """
    own, partner = trial["elapsed_seconds"], trial["partner_seconds"] or 0.0
    whole = trial["wall_seconds"] - trial["partner_start_seconds"] + share_seconds
    outside = whole - own - partner
    box = trial["box_seconds"] - trial["process_seconds"]
    phases = [trial[f"{name}_seconds"] for name in ("import", "load", "first_call", "warmup")]
    return [whole, own, partner, outside, share_seconds, box, *phases, outside - share_seconds - box - sum(phases)]


def _seconds(value: float) -> str:
    return f"{value:.2f}"
