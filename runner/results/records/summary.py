"""The record of a job's summary: a row of summary.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from runner.results.records.job import ArtifactFacts, Assembled, JobIdentity
from runner.results.records.judged import Correlation, Ranking
from runner.results.records.quality import Quality, QualityBasis
from runner.results.records.slices import WorstSlice
from runner.results.records.trial import CAPACITY_REASON, Measurements

VERDICTS: Final = ("faster", "slower", "tie", "disturbed")
CAPACITY_VERDICTS: Final = ("higher", "lower", "tie", "disturbed")


@dataclass(kw_only=True)
class JobStatus:
    """How the trials of a job went."""

    baseline_job: Annotated[str | None, "Key of the baseline job; for a baseline its own key."] = None
    status: Annotated[
        str | None,
        "ok if all trials are ok; otherwise the status of the first trial that failed; missing if trials have not been "
        "run and no other failed.",
    ] = None
    error: Annotated[str | None, "Error of the first trial that failed."] = None
    log: Annotated[str | None, "Path of the log of the first trial that failed."] = None
    trials_planned: Annotated[int | None, "Number of trials that the plan has for this job."] = None
    trials_missing: Annotated[
        int | None, "Number of planned trials that have no file, because the sweep is not finished."
    ] = None
    rounds_run: Annotated[int | None, "Number of rounds that were run."] = None
    rounds_included: Annotated[
        int | None, "Number of rounds that medians and ratios include; the other rounds were disturbed."
    ] = None
    trials_ok: Annotated[int | None, "Number of trials with status ok."] = None
    trials_oom: Annotated[int | None, "Number of trials with status oom."] = None
    trials_timeout: Annotated[int | None, "Number of trials with status timeout."] = None
    trials_crashed: Annotated[int | None, "Number of trials with status crashed."] = None
    trials_unfair: Annotated[int | None, "Number of trials with status unfair."] = None
    trials_wrong: Annotated[int | None, "Number of trials with status wrong."] = None
    trials_prepare_failed: Annotated[int | None, "Number of trials with status prepare-failed."] = None
    trials_lost: Annotated[int | None, "Number of trials with status lost."] = None


@dataclass(kw_only=True)
class LatencyRatio:
    """How fast a job is, compared with its baseline."""

    latency_ratio: Annotated[
        float | None,
        "Latency ÷ the baseline's latency, the geometric mean over the rounds that are included; below 1 is faster.",
    ] = None
    latency_ratio_low: Annotated[float | None, "Lower end of its 95% interval (Student's t on log ratios)."] = None
    latency_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    latency_half_width: Annotated[float | None, "Half the width of its interval, as a fraction of the ratio."] = None
    latency_p90_ratio: Annotated[
        float | None, "90th percentile of the latency ÷ the baseline's, over the rounds as latency_ratio."
    ] = None
    latency_p90_ratio_low: Annotated[float | None, "Lower end of its 95% interval (Student's t on log ratios)."] = None
    latency_p90_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    latency_p95_ratio: Annotated[float | None, "The same for the 95th percentile."] = None
    latency_p95_ratio_low: Annotated[float | None, "Lower end of its 95% interval."] = None
    latency_p95_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    latency_p99_ratio: Annotated[float | None, "The same for the 99th percentile."] = None
    latency_p99_ratio_low: Annotated[float | None, "Lower end of its 95% interval."] = None
    latency_p99_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    engine_ratio: Annotated[
        float | None, "Engine's own part of the latency ÷ the baseline's, without tokenizing, as latency_ratio."
    ] = None
    engine_ratio_low: Annotated[float | None, "Lower end of its 95% interval."] = None
    engine_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    p_value: Annotated[float | None, "Two-sided p-value of the hypothesis that the ratio is 1, for this job alone."] = (
        None
    )
    p_value_holm: Annotated[
        float | None, "The same p-value, adjusted (Holm) for the number of variants of the baseline."
    ] = None
    noise_floor: Annotated[
        float | None, "Ratio that the A/A test of the two baselines cannot exclude for identical code."
    ] = None


@dataclass(kw_only=True)
class AgainstFloat32:
    """How fast a job is, compared with the fastest job that computes the baseline's predictions in float32."""

    float32_job: Annotated[
        str | None,
        "Key of the fastest job of the same baseline, or the baseline itself, that computed in float32 and predicts "
        "every text as the baseline does; null if there is none.",
    ] = None
    float32_ratio: Annotated[
        float | None, "latency_ratio ÷ that of float32_job: the part that does not come from the engine alone."
    ] = None
    float32_ratio_low: Annotated[
        float | None, "Lower end of its 95% interval (Student's t on log ratios of the same rounds)."
    ] = None
    float32_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None


@dataclass(kw_only=True)
class CapacityRatio:
    """How many requests a second a job can serve, compared with its baseline; null if the load was closed."""

    capacity_ratio: Annotated[
        float | None,
        "capacity_per_second ÷ the baseline's, the geometric mean over the rounds that are included; above 1 is more.",
    ] = None
    capacity_ratio_low: Annotated[float | None, "Lower end of its 95% interval (Student's t on log ratios)."] = None
    capacity_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    capacity_p_value: Annotated[
        float | None, "Two-sided p-value of the hypothesis that the ratio is 1, for this job alone."
    ] = None
    capacity_p_value_holm: Annotated[
        float | None, "The same p-value, adjusted (Holm) for the number of variants of the baseline."
    ] = None
    capacity_noise_floor: Annotated[
        float | None, "Ratio that the A/A test of the two baselines cannot exclude for identical code."
    ] = None
    capacity_verdict: Annotated[
        str | None,
        f"Result of the test: {', '.join(CAPACITY_VERDICTS)}; null if there is none, as with one round or without a "
        "baseline.",
    ] = None
    capacity_reason: Annotated[str | None, CAPACITY_REASON + " From the first trial that has one."] = None


@dataclass(kw_only=True)
class SlotCost:
    """How much the baseline is affected by other slots that measure at the same time."""

    noise_floor_alone: Annotated[
        float | None,
        "The same floor from pairs of baselines that ran while no other slot was measuring; null without slots.",
    ] = None
    beside_ratio: Annotated[
        float | None,
        "Latency of the baseline beside other slots ÷ its latency alone, the geometric mean over rounds; null without "
        "slots.",
    ] = None
    beside_ratio_low: Annotated[float | None, "Lower end of its 95% interval (Student's t on log ratios)."] = None
    beside_ratio_high: Annotated[float | None, "Upper end of its 95% interval."] = None


@dataclass(kw_only=True)
class AgainstBaseline:
    """What else a job costs, compared with its baseline, and whether it is faster."""

    verdict: Annotated[
        str | None,
        f"Result of the test: {', '.join(VERDICTS)}; null if there is none, as with one round or without a baseline.",
    ] = None
    disk_ratio: Annotated[float | None, "disk_bytes ÷ the baseline's."] = None
    compressed_ratio: Annotated[float | None, "compressed_bytes ÷ the baseline's."] = None
    rss_peak_ratio: Annotated[float | None, "rss_peak_bytes ÷ the baseline's."] = None
    load_ratio: Annotated[float | None, "load_seconds ÷ the baseline's."] = None
    first_call_ratio: Annotated[float | None, "first_call_seconds ÷ the baseline's."] = None
    throughput_ratio: Annotated[float | None, "examples_per_second ÷ the baseline's."] = None


@dataclass(kw_only=True)
class ColdStart:
    """How long a job takes to its first prediction from an empty page cache; null without measure.cold_starts."""

    cold_start_seconds: Annotated[float | None, "Median of start_seconds over the ok cold starts."] = None
    cold_start_read_bytes: Annotated[float | None, "Median of start_read_bytes over the ok cold starts."] = None


@dataclass(kw_only=True)
class ThreadScaling:
    """The speedup from more threads. The columns are null if the sweep does not have the same job with one thread."""

    thread_speedup: Annotated[float | None, "Latency of the same job with one thread ÷ latency of this job."] = None
    thread_speedup_low: Annotated[float | None, "Lower end of its 95% interval (Welch's t on log latencies)."] = None
    thread_speedup_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    thread_efficiency: Annotated[float | None, "thread_speedup ÷ threads."] = None


@dataclass(kw_only=True)
class Accuracy:
    """How good the predictions of a job are, and how far they agree with the baseline's."""

    examples: Annotated[
        int | None, "Number of texts, or of words, that were evaluated; null where there are no predictions."
    ] = None
    accuracy: Annotated[
        float | None,
        "Fraction of the examples that are predicted correctly; if an example has several labels, all of them must be "
        "correct. Null without labels or for random weights.",
    ] = None
    accuracy_low: Annotated[
        float | None, "Lower end of its 95% interval (Wilson; for words, the text is the unit)."
    ] = None
    accuracy_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    macro_f1: Annotated[float | None, "Mean of F1 over the labels."] = None
    micro_f1: Annotated[
        float | None, "F1 of all labels together; null where each text has one label, as it equals the accuracy."
    ] = None
    entity_f1: Annotated[
        float | None, "For tagged words: F1 of the entities of all types together, counted as seqeval does."
    ] = None
    calibration_error: Annotated[
        float | None, "Expected calibration error with 15 bins of equal width, from 0 to 1."
    ] = None
    brier_score: Annotated[
        float | None, "Mean over the examples of the sum of the squared errors of the probabilities, from 0 to 2."
    ] = None
    metrics: Annotated[dict[str, float | None] | None, "The sweep's own metrics, written by the user, by name."] = None
    changed_predictions: Annotated[int | None, "Number of examples for which the baseline predicts something else."] = (
        None
    )
    changed_fraction: Annotated[float | None, "changed_predictions ÷ examples."] = None
    agreement: Annotated[
        float | None,
        "Fraction of the examples that are predicted as the baseline predicts them, with or without labels; null for "
        "random weights.",
    ] = None
    agreement_low: Annotated[
        float | None, "Lower end of its 95% interval (Wilson; for words, the text is the unit)."
    ] = None
    agreement_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    cosine_mean: Annotated[
        float | None, "For a task of vectors: mean over the texts of the cosine with the baseline's vector."
    ] = None
    cosine_low: Annotated[float | None, "Lower end of its 95% interval (Student's t)."] = None
    cosine_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    cosine_least: Annotated[float | None, "Lowest cosine of any text."] = None
    neighbour_agreement: Annotated[
        float | None, "Fraction of the texts that have the same nearest other text as with the baseline's vectors."
    ] = None


@dataclass(kw_only=True)
class AccuracyAgainstBaseline:
    """How the predictions differ in quality from the baseline's.

    The columns are null for the baseline itself and for random weights; without labels, only the divergence is set.
    """

    accuracy_difference: Annotated[float | None, "accuracy − the baseline's, on the same examples."] = None
    accuracy_difference_low: Annotated[
        float | None,
        "Lower end of its 95% interval (Tango's score interval; for words Student's t over the texts).",
    ] = None
    accuracy_difference_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    accuracy_p_value: Annotated[
        float | None,
        "Two-sided p-value of the hypothesis that both are equally accurate (exact McNemar test; for words Student's t "
        "over the texts), for this job alone.",
    ] = None
    accuracy_p_value_holm: Annotated[
        float | None, "The same p-value, adjusted (Holm) for the number of variants of the baseline."
    ] = None
    macro_f1_difference: Annotated[float | None, "macro_f1 − the baseline's."] = None
    macro_f1_difference_low: Annotated[float | None, "Lower end of its 95% interval (paired bootstrap, BCa)."] = None
    macro_f1_difference_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    entity_f1_difference: Annotated[float | None, "entity_f1 − the baseline's."] = None
    entity_f1_difference_low: Annotated[float | None, "Lower end of its 95% interval (Student's t over the texts)."] = (
        None
    )
    entity_f1_difference_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    negative_flips_fraction: Annotated[
        float | None, "Fraction of the examples that the baseline predicts correctly and this job does not."
    ] = None
    positive_flips_fraction: Annotated[
        float | None, "Fraction of the examples that this job predicts correctly and the baseline does not."
    ] = None
    kl_mean_nats: Annotated[
        float | None,
        "Mean Kullback-Leibler divergence from the baseline's probabilities; null if a logit is not a finite number.",
    ] = None
    kl_p99_nats: Annotated[float | None, "99th percentile of this divergence over the examples."] = None
    recall_changes: Annotated[
        list[float | None] | None, "Recall − the baseline's for each label, in the order of manifest.json."
    ] = None
    worst_recall_label: Annotated[str | None, "Label with the lowest of these changes."] = None
    worst_recall_change: Annotated[float | None, "Lowest of these changes."] = None


@dataclass(kw_only=True)
class BatchSensitivity:
    """How far the predictions depend on what else is in the batch, and on padding."""

    batch_examples: Annotated[
        int | None,
        "Number of examples that were also evaluated alone, and in batches of eight padded to the longest; up to 128.",
    ] = None
    batch_changed_predictions: Annotated[
        int | None,
        "Number of these whose prediction is not the same alone, in batches of eight and in their own calls.",
    ] = None
    batch_logit_difference: Annotated[
        float | None, "Largest difference of a logit between these three ways; null if one is not a finite number."
    ] = None


@dataclass(kw_only=True)
class PredictionFigures(
    Accuracy, AccuracyAgainstBaseline, Correlation, Ranking, QualityBasis, WorstSlice, BatchSensitivity
):
    """All columns about the predictions of a job."""


@dataclass(kw_only=True)
class JobSummary(
    JobIdentity,
    JobStatus,
    ArtifactFacts,
    Measurements,
    LatencyRatio,
    AgainstFloat32,
    CapacityRatio,
    SlotCost,
    AgainstBaseline,
    ColdStart,
    ThreadScaling,
    Accuracy,
    AccuracyAgainstBaseline,
    Correlation,
    Ranking,
    QualityBasis,
    Quality,
    WorstSlice,
    BatchSensitivity,
    Assembled,
):
    """All that a sweep says about one job. The columns come in the order in which the parts are named here.

    The fields of Measurements hold medians over the trials that are ok, in the rounds that are included. A median of
    whole numbers may be a fraction: in the table all of them are floats.
    """
