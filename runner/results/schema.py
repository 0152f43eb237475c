"""The columns of every results table: one place, with a version and a description for each column.

A column name ends in its unit. The description travels in the Parquet file as field metadata
(`description`), the version as table metadata (`pinbox.schema`). A new column raises `VERSION`; readers take
every older version.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

VERSION: Final = 8

ALONE_ROLES: Final = ("alone-first", "alone-last")  # see runner/sweep/slots
ROLES: Final = ("variant", "baseline-first", "baseline-last", *ALONE_ROLES)
SAMPLE_ROLES: Final = (*ROLES, "partner")
STATUSES: Final = ("ok", "oom", "timeout", "crashed", "unfair", "wrong", "prepare-failed", "lost")
VERDICTS: Final = ("faster", "slower", "tie")


def _column(name: str, type_: Any, description: str) -> Any:
    return pa.field(name, type_, metadata={"description": description})


_IDENTITY = [
    _column("sweep", pa.string(), "Name of the sweep (the name of its grid)."),
    _column("job", pa.string(), "Key of the job: model × technique × task × workload × threads × isolation."),
    _column("model", pa.string(), "Name of the model."),
    _column("family", pa.string(), "Model family: its members share one baseline."),
    _column("weights", pa.string(), "trained, or random weights of the same shape (then accuracy is null)."),
    _column("technique", pa.string(), "Name of the technique."),
    _column("task", pa.string(), "Name of the task: texts and labels."),
    _column("workload", pa.string(), "Name of the workload: how texts become calls."),
    _column("batch_size", pa.int64(), "Texts in one call."),
    _column("padding", pa.string(), "How the texts of a call are brought to one length."),
    _column("max_length", pa.int64(), "Longest input in tokens; the rest is cut off."),
    _column("bucket", pa.int64(), "Tokens that lengths are padded to a multiple of; null unless padding is bucketed."),
    _column("threads", pa.int64(), "Threads of the engine, one per pinned physical core."),
    _column("isolation", pa.string(), "Kind of box: docker or process."),
    _column("cpu", pa.string(), "CPU model, where a cluster's nodes differ in it; null where all are alike."),
]

_ARTIFACT = [
    _column("artifact", pa.string(), "SHA-256 of the artifact's files."),
    _column("artifact_format", pa.string(), "Format of the artifact: checkpoint, onnx, torchscript …"),
    _column(
        "plugins",
        pa.string(),
        "Code of the user's own in the job, such as 'steps/shout@1a2b3c4d5e6f': kind, name, SHA-256; null for none.",
    ),
    _column("masked", pa.bool_(), "Whether weights were pruned by setting them to 0: there are no fewer of them."),
    _column(
        "int8_weight_bits",
        pa.int64(),
        "Bits of the signed weights that are multiplied by unsigned 8-bit activations: 8 if one is beyond ±64, else 7; "
        "0 for none.",
    ),
    _column(
        "int8_may_saturate",
        pa.bool_(),
        "Whether their products may be cut off at 16 bits on the CPU of the box: 8-bit weights, and no VNNI.",
    ),
]

_TRIAL = [
    _column("seed", pa.int64(), "Seed of the sweep."),
    _column("round", pa.int64(), "Round, from 0: one pass over all jobs."),
    _column("position", pa.int64(), "Place of the trial within its round, from 0."),
    _column("role", pa.string(), "One of " + ", ".join(ROLES) + "."),
    _column("baseline_job", pa.string(), "Key of the baseline job, whose box took turns with this one."),
    _column("status", pa.string(), "One of " + ", ".join(STATUSES) + "."),
    _column("error", pa.string(), "One line on why the trial is not ok; null otherwise."),
    _column("log", pa.string(), "Log of the trial, relative to the sweep folder."),
    _column("node", pa.string(), "Name of the cluster's node that measured it; null outside a cluster."),
    _column("slot", pa.int64(), "Slot that measured it, from 0; null where rounds were not measured at once."),
    _column("beside", pa.int64(), "How many other slots were measuring when it began; null likewise."),
    _column("started_at", pa.string(), "Start of the trial, ISO 8601, UTC."),
    _column("wall_seconds", pa.float64(), "Duration of the whole trial, making the box included."),
    _column("partner_start_seconds", pa.float64(), "Of that, starting the partner's box; 0 if it was there."),
    _column("box_seconds", pa.float64(), "Of that, the box from its making to its removal."),
    _column("process_seconds", pa.float64(), "Of that, the process inside, from its start to its last line."),
    _column("image_id", pa.string(), "Id of the image the box was made from."),
    _column("base_id", pa.string(), "Id of that image's base image."),
    _column("lock_sha256", pa.string(), "SHA-256 of the lock file the image was built from."),
    _column("code_version", pa.string(), "Version of Pinbox's code."),
]

_PAIRED = [
    _column(
        "partner_ratio", pa.float64(), "Latency ÷ the partner's on the same input: median over the calls of the turns."
    ),
    _column("latency_ratio", pa.float64(), "partner_ratio ÷ geometric mean of those of the round's two baselines."),
    _column("turns", pa.int64(), "How many turns that was."),
    _column("partner_latency_p50_seconds", pa.float64(), "Median time of the partner's calls in its turns."),
    _column(
        "disturbance",
        pa.float64(),
        "Worst known sign of a disturbed machine as a multiple of its limit; above 1: disturbed.",
    ),
    _column("disturbed_by", pa.string(), "Which sign that was; null if it is within its limit."),
    _column("included", pa.bool_(), "Whether the round enters medians and ratios; a disturbed round is run again."),
]

#: What a trial measures; the summary holds the median of each.
_MEASURED = [
    _column("disk_bytes", pa.int64(), "Size of the artifact's files on disk."),
    _column("compressed_bytes", pa.int64(), "Size of the same files, each compressed (zstd, level 10)."),
    _column("import_seconds", pa.float64(), "Phase import: importing the engine."),
    _column("load_seconds", pa.float64(), "Phase load: from files to a model ready to be called."),
    _column("first_call_seconds", pa.float64(), "Phase first call: the first inference."),
    _column("warmup_seconds", pa.float64(), "Phase warm-up: calls before the timed ones."),
    _column("warmup_calls", pa.int64(), "Number of warm-up calls."),
    _column("timed_seconds", pa.float64(), "Summed time of the timed calls."),
    _column("elapsed_seconds", pa.float64(), "Wall time of all timed calls, the time between them included."),
    _column("calls", pa.int64(), "Number of timed calls."),
    _column("latency_p50_seconds", pa.float64(), "Median time of a timed call."),
    _column("latency_p90_seconds", pa.float64(), "90th percentile of the time of a timed call."),
    _column("latency_mean_seconds", pa.float64(), "Mean time of a timed call."),
    _column("examples_per_second", pa.float64(), "Texts per second over the timed calls."),
    _column("tokens_per_second", pa.float64(), "Useful tokens (without padding) per second."),
    _column("useful_tokens", pa.int64(), "Tokens of the timed inputs that are not padding."),
    _column("padded_tokens", pa.int64(), "Tokens of the timed inputs, padding included."),
    _column("rss_import_bytes", pa.int64(), "Peak resident memory (VmHWM) during import, file-mapped pages included."),
    _column("rss_load_bytes", pa.int64(), "Peak resident memory during load."),
    _column("rss_first_call_bytes", pa.int64(), "Peak resident memory during the first call."),
    _column("rss_peak_bytes", pa.int64(), "Peak resident memory of the whole trial, for inputs of rss_peak_tokens."),
    _column(
        "rss_anon_import_bytes",
        pa.int64(),
        "Peak anonymous memory (RssAnon + VmSwap), which the process itself allocated, during import.",
    ),
    _column("rss_anon_load_bytes", pa.int64(), "Peak anonymous memory during load."),
    _column("rss_anon_first_call_bytes", pa.int64(), "Peak anonymous memory during the first call."),
    _column("rss_anon_peak_bytes", pa.int64(), "Peak anonymous memory of the whole trial; diff compares this one."),
    _column(
        "rss_file_bytes",
        pa.int64(),
        "Memory mapped from files and shared after the calls: libraries, weights; it moves with the page cache.",
    ),
    _column("rss_peak_tokens", pa.int64(), "Longest input that the memory peaks cover, in tokens: the task's longest."),
    _column(
        "box_peak_bytes", pa.int64(), "Peak memory of the box by its cgroup, page cache included; null if not told."
    ),
    _column("cpu_seconds", pa.float64(), "User and system time during the timed calls."),
    _column("steal_seconds", pa.float64(), "Time the hypervisor took away during the timed calls; null if not told."),
    _column(
        "throttled_periods",
        pa.int64(),
        "Periods in which a CPU quota stopped the box or a group above it; null if not told.",
    ),
    _column("involuntary_switches", pa.int64(), "Involuntary context switches during the timed calls."),
    _column("reference_seconds", pa.float64(), "Time of a fixed reference kernel around the timed calls."),
    _column("partner_seconds", pa.float64(), "Time that the partner took for its turns, waiting included."),
    _column(
        "energy_joules_per_call", pa.float64(), "Energy of the package per timed call (RAPL); null where not visible."
    ),
    _column("flops_per_call", pa.float64(), "Floating-point operations of a mean call, useful tokens only."),
    _column("padded_flops_per_call", pa.float64(), "The same with the padding."),
    _column("flops_per_second", pa.float64(), "Rate on useful tokens: flops_per_call ÷ mean latency."),
    _column("padded_flops_per_second", pa.float64(), "Rate with the padding: padded_flops_per_call ÷ mean latency."),
    _column(
        "peak_fraction",
        pa.float64(),
        "padded_flops_per_second ÷ the machine's measured peak at these threads, in this precision or float32.",
    ),
]

MEASURED: Final = tuple(field.name for field in _MEASURED)

_BOX = [
    _column(
        "precision", pa.string(), "What the engine really computed its matrix products in: float32, int8, bfloat16."
    ),
    _column("box_cpus", pa.string(), "CPUs the box was pinned to, read inside it, as '0,2'."),
    _column("box_cgroup_version", pa.int64(), "cgroup version the limits were read from; null if none was found."),
    _column(
        "box_memory_limit_bytes", pa.int64(), "Lowest memory limit read inside the box; null for none, or if not told."
    ),
    _column("box_engine_threads", pa.int64(), "Threads the engine computes with, by its own account."),
    _column("box_os_threads", pa.int64(), "Threads of the whole process."),
    _column("box_cpu_model", pa.string(), "CPU model read inside the box; null if not told."),
    _column("box_kernel", pa.string(), "Kernel release read inside the box."),
    _column(
        "box_instruction_sets", pa.string(), "Instruction sets that matter here, as 'avx2 avx512f'; null if not told."
    ),
    _column("box_engine", pa.string(), "JSON: what the engine says of itself: library versions, instruction set."),
    _column("box_rest", pa.string(), "JSON: everything else the box read back."),
]

_AGAINST_BASELINE = [
    _column(
        "latency_ratio", pa.float64(), "Latency ÷ baseline's, geometric mean over included rounds; below 1 is faster."
    ),
    _column("latency_ratio_low", pa.float64(), "Lower end of its 95% interval (Student's t on log ratios)."),
    _column("latency_ratio_high", pa.float64(), "Upper end of its 95% interval."),
    _column("latency_half_width", pa.float64(), "Half the interval's width as a fraction of the ratio."),
    _column("p_value", pa.float64(), "Two-sided p-value of 'the ratio is 1', this job alone."),
    _column("p_value_holm", pa.float64(), "The same, adjusted (Holm) across the variants of one baseline."),
    _column("noise_floor", pa.float64(), "How far from 1 the A/A test cannot exclude identical code to be."),
    _column(
        "noise_floor_alone",
        pa.float64(),
        "The same of pairs that were measured while no other slot was; null without slots.",
    ),
    _column(
        "beside_ratio",
        pa.float64(),
        "Baseline's latency beside other slots ÷ alone, geometric mean over rounds; null without slots.",
    ),
    _column("beside_ratio_low", pa.float64(), "Lower end of its 95% interval (Student's t on log ratios)."),
    _column("beside_ratio_high", pa.float64(), "Upper end of its 95% interval."),
    _column("verdict", pa.string(), "faster, slower or tie; null if it cannot be evaluated (one round, no baseline)."),
    _column("disk_ratio", pa.float64(), "disk_bytes ÷ the baseline's."),
    _column("compressed_ratio", pa.float64(), "compressed_bytes ÷ the baseline's."),
    _column("rss_peak_ratio", pa.float64(), "rss_peak_bytes ÷ the baseline's."),
    _column("load_ratio", pa.float64(), "load_seconds ÷ the baseline's."),
    _column("first_call_ratio", pa.float64(), "first_call_seconds ÷ the baseline's."),
    _column("throughput_ratio", pa.float64(), "examples_per_second ÷ the baseline's."),
]

_SCALING = [
    _column("thread_speedup", pa.float64(), "Latency with one thread ÷ latency with these; null without that row."),
    _column("thread_speedup_low", pa.float64(), "Lower end of its 95% interval (Welch's t on log latencies)."),
    _column("thread_speedup_high", pa.float64(), "Upper end of its 95% interval."),
    _column("thread_efficiency", pa.float64(), "thread_speedup ÷ threads."),
]

_ACCURACY = [
    _column("examples", pa.int64(), "Texts that were evaluated, or words; null where there are no predictions."),
    _column(
        "accuracy",
        pa.float64(),
        "Fraction predicted right, of several labels all; null without labels or for random weights.",
    ),
    _column("accuracy_low", pa.float64(), "Lower end of its 95% interval (Wilson; of words by text)."),
    _column("accuracy_high", pa.float64(), "Upper end of its 95% interval."),
    _column("macro_f1", pa.float64(), "Mean over the labels of F1."),
    _column("micro_f1", pa.float64(), "F1 of all labels together; null where each text has one: it would be accuracy."),
    _column("entity_f1", pa.float64(), "Of tagged words: F1 of the entities of all types together, as seqeval counts."),
    _column("calibration_error", pa.float64(), "Expected calibration error, 15 bins of equal width, 0 to 1."),
    _column("brier_score", pa.float64(), "Mean of the summed squared errors of the probabilities, 0 to 2."),
    _column("metrics", pa.map_(pa.string(), pa.float64()), "Metrics of the user's own, by name: those of the sweep."),
    _column("changed_predictions", pa.int64(), "Examples predicted otherwise than by the baseline."),
    _column("changed_fraction", pa.float64(), "The same as a fraction of the examples."),
    _column(
        "agreement", pa.float64(), "Fraction predicted as by the baseline, labels or not; null for random weights."
    ),
    _column("agreement_low", pa.float64(), "Lower end of its 95% interval (Wilson; of words by text)."),
    _column("agreement_high", pa.float64(), "Upper end of its 95% interval."),
    _column("cosine_mean", pa.float64(), "Of a task of vectors: cosine with the baseline's, mean over the texts."),
    _column("cosine_low", pa.float64(), "Lower end of its 95% interval (Student's t)."),
    _column("cosine_high", pa.float64(), "Upper end of its 95% interval."),
    _column("cosine_least", pa.float64(), "The least of them."),
    _column("neighbour_agreement", pa.float64(), "Fraction of the texts whose nearest other text is the baseline's."),
]

#: Null for the baseline itself, without labels (but for the divergence) and for random weights.
_ACCURACY_AGAINST_BASELINE = [
    _column("accuracy_difference", pa.float64(), "accuracy − the baseline's, on the same examples."),
    _column(
        "accuracy_difference_low",
        pa.float64(),
        "Lower end of its 95% interval (paired bootstrap, BCa; of words Student's t over the texts).",
    ),
    _column("accuracy_difference_high", pa.float64(), "Upper end of its 95% interval."),
    _column(
        "accuracy_p_value",
        pa.float64(),
        "Two-sided p-value of 'equally accurate' (McNemar, exact; of words Student's t over the texts), not adjusted.",
    ),
    _column("macro_f1_difference", pa.float64(), "macro_f1 − the baseline's."),
    _column("macro_f1_difference_low", pa.float64(), "Lower end of its 95% interval (paired bootstrap, BCa)."),
    _column("macro_f1_difference_high", pa.float64(), "Upper end of its 95% interval."),
    _column("entity_f1_difference", pa.float64(), "entity_f1 − the baseline's."),
    _column("entity_f1_difference_low", pa.float64(), "Lower end of its 95% interval (Student's t over the texts)."),
    _column("entity_f1_difference_high", pa.float64(), "Upper end of its 95% interval."),
    _column("negative_flips_fraction", pa.float64(), "Fraction of the examples that only the baseline has right."),
    _column("positive_flips_fraction", pa.float64(), "Fraction of the examples that only this job has right."),
    _column(
        "kl_mean_nats", pa.float64(), "Mean Kullback-Leibler divergence from the baseline; null if not all are finite."
    ),
    _column("kl_p99_nats", pa.float64(), "Its 99th percentile over the examples."),
    _column("recall_changes", pa.list_(pa.float64()), "Recall − the baseline's, per label in manifest.json's order."),
    _column("worst_recall_label", pa.string(), "Label with the lowest of these changes."),
    _column("worst_recall_change", pa.float64(), "That change."),
]

_NEIGHBOURS = [
    _column(
        "batch_examples", pa.int64(), "Examples evaluated also alone, and in eights padded to the longest; up to 128."
    ),
    _column(
        "batch_changed_predictions", pa.int64(), "Of these, those not predicted alike alone, in eights, and as called."
    ),
    _column("batch_logit_difference", pa.float64(), "Largest difference of a logit between these; null if not finite."),
]

_SUMMARY_STATUS = [
    _column("baseline_job", pa.string(), "Key of the baseline job; the job itself for a baseline."),
    _column("status", pa.string(), "ok if all trials are; else the first failure; missing if only unfinished."),
    _column("error", pa.string(), "Error of the first trial that failed."),
    _column("log", pa.string(), "Log of the first trial that failed."),
    _column("trials_planned", pa.int64(), "Trials that the plan holds for this job."),
    _column("trials_missing", pa.int64(), "Planned trials without a file: the sweep is unfinished."),
    _column("rounds_run", pa.int64(), "Rounds that were run."),
    _column("rounds_included", pa.int64(), "Rounds that enter medians and ratios; the others were disturbed."),
    *(_column(f"trials_{s.replace('-', '_')}", pa.int64(), f"Trials with status {s}.") for s in STATUSES),
]

_MEDIANS = [
    _column(f.name, pa.float64(), "Median over the ok trials: " + f.metadata[b"description"].decode())
    for f in _MEASURED
]


def _schema(table: str, columns: list[Any]) -> Any:
    return pa.schema(columns, metadata={"pinbox.schema": str(VERSION), "pinbox.table": table})


RESULTS: Final = _schema("results", [*_IDENTITY, *_TRIAL, *_ARTIFACT, *_MEASURED, *_PAIRED, *_BOX])

SUMMARY: Final = _schema(
    "summary",
    [
        *_IDENTITY,
        *_SUMMARY_STATUS,
        *_ARTIFACT,
        *_MEDIANS,
        *_AGAINST_BASELINE,
        *_SCALING,
        *_ACCURACY,
        *_ACCURACY_AGAINST_BASELINE,
        *_NEIGHBOURS,
    ],
)

SAMPLES: Final = _schema(
    "samples",
    [
        _column("job", pa.string(), "Key of the job."),
        _column("round", pa.int64(), "Round of the trial."),
        _column("role", pa.string(), "Whose call: the trial's role, or partner for the partner's calls in this trial."),
        _column(
            "turn", pa.int64(), "Turn, from 0; in each the box and its partner get the same inputs one after the other."
        ),
        _column("call", pa.int64(), "Timed call, from 0, in order."),
        _column("batch", pa.int64(), "Which of the distinct inputs was given."),
        _column("latency_seconds", pa.float64(), "Time of the call."),
    ],
)

MEMORY: Final = _schema(
    "memory",
    [
        _column("job", pa.string(), "Key of the job."),
        _column("round", pa.int64(), "Round of the trial."),
        _column("role", pa.string(), "Role of the trial."),
        _column("phase", pa.string(), "What the trial was doing."),
        _column("seconds", pa.float64(), "Time since the start of the trial's process."),
        _column("rss_anon_bytes", pa.int64(), "Anonymous memory of the process; the rest of rss_bytes is file-mapped."),
        _column("rss_bytes", pa.int64(), "Resident memory of the process."),
    ],
)

PREDICTIONS: Final = _schema(
    "predictions",
    [
        _column("job", pa.string(), "Key of the job."),
        _column("model", pa.string(), "Name of the model."),
        _column("technique", pa.string(), "Name of the technique."),
        _column("task", pa.string(), "Name of the task."),
        _column("workload", pa.string(), "Name of the workload."),
        _column("example", pa.int64(), "Example, from 0, in the order of the test split; of tagged texts each word."),
        _column("of_text", pa.int64(), "Number of its text, from 0: words may have one in common."),
        _column("text", pa.string(), "Its text; of a pair both, a line each; of a word some words around it."),
        _column("label", pa.string(), "Its true label; null where the task has none."),
        _column(
            "prediction", pa.string(), "Most probable label, or all above 0.5; null if a logit was not a finite number."
        ),
        _column(
            "probability",
            pa.float64(),
            "Probability of the prediction (softmax; of several labels, product of sigmoids).",
        ),
        _column("probabilities", pa.list_(pa.float64()), "Of every label, in the order of manifest.json."),
        _column("baseline_prediction", pa.string(), "What the baseline predicted."),
        _column("baseline_probability", pa.float64(), "With what probability."),
        _column("cosine", pa.float64(), "Of a task of vectors: cosine of this text's with the baseline's."),
        _column(
            "moved",
            pa.float64(),
            "Total variation distance from the baseline's probabilities, or the largest change of a label's; 0 to 1.",
        ),
    ],
)

SCHEMAS: Final = {
    "results": RESULTS,
    "summary": SUMMARY,
    "samples": SAMPLES,
    "memory": MEMORY,
    "predictions": PREDICTIONS,
}
