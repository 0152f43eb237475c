"""What a box measures and reads back: the part of a trial's record that is written inside the box.

A box has only the standard library, numpy and its engine. So these are plain dataclasses, and they import nothing else.
A value that is not known is None, and is left out of the file.

To add a column, add a field here and set it where it is measured (runner/trial).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(init=False, eq=False, repr=False)
class Durations:
    """How long a trial and its parts took. The box measures the last one, and its parent process the others."""

    wall_seconds: Annotated[float | None, "Duration of the whole trial, including the time to make its box."] = None
    partner_start_seconds: Annotated[
        float | None, "Part of wall_seconds that it took to start the partner's box; 0 if that box was open already."
    ] = None
    box_seconds: Annotated[
        float | None, "Part of wall_seconds from the moment the box was made until it was removed."
    ] = None
    process_seconds: Annotated[
        float | None, "Part of box_seconds from the start of the process in the box until it had measured everything."
    ] = None


@dataclass(init=False, eq=False, repr=False)
class Figures:
    """What is measured in the box. A new field is a column of results, and its median a column of the summary."""

    import_seconds: Annotated[float | None, "Time to import the engine (phase import)."] = None
    load_seconds: Annotated[float | None, "Time from the files to a model that can be called (phase load)."] = None
    tokenizer_load_seconds: Annotated[
        float | None, "Time to import the tokenizers library and to read tokenizer.json (phase tokenizer)."
    ] = None
    first_call_seconds: Annotated[
        float | None, "Time of the first call, from the text to the prediction (phase first call)."
    ] = None
    start_seconds: Annotated[
        float | None,
        "Time from the start of the box's process to the first prediction, with the files in the page cache; in a "
        "cold-start, without them.",
    ] = None
    start_read_bytes: Annotated[
        int | None, "Bytes that were read from storage until the first prediction; null where not known."
    ] = None
    warmup_seconds: Annotated[float | None, "Time of the calls that come before the timed ones (phase warm-up)."] = None
    warmup_calls: Annotated[int | None, "Number of calls in the warm-up."] = None
    timed_seconds: Annotated[float | None, "Sum of the times of all timed calls."] = None
    elapsed_seconds: Annotated[
        float | None, "Wall-clock time of all timed calls, including the time between one call and the next."
    ] = None
    calls: Annotated[int | None, "Number of timed calls."] = None
    latency_p50_seconds: Annotated[
        float | None, "Median time of a timed call, end to end: from the texts to the predictions."
    ] = None
    latency_p90_seconds: Annotated[float | None, "90th percentile of the time of a timed call."] = None
    latency_p95_seconds: Annotated[float | None, "95th percentile of the time of a timed call."] = None
    latency_p99_seconds: Annotated[float | None, "99th percentile of the time of a timed call."] = None
    latency_mean_seconds: Annotated[float | None, "Mean time of a timed call."] = None
    tokenize_p50_seconds: Annotated[
        float | None, "Median of the part of a call from the texts to the engine's input: tokenizing and padding."
    ] = None
    engine_p50_seconds: Annotated[
        float | None, "Median of the part of a call that is the engine's own: from its input to the predictions."
    ] = None
    engine_mean_seconds: Annotated[float | None, "Mean of the engine's own part of a call."] = None
    examples_per_second: Annotated[float | None, "Texts per second, over the timed calls."] = None
    documents_per_second: Annotated[
        float | None,
        "For a task of kind retrieval: documents per second that the engine encodes in batches, without tokenizing, in "
        "one pass over a few of them. It is not timed in turns with a partner.",
    ] = None
    tokens_per_second: Annotated[float | None, "Tokens per second, over the timed calls, without padding."] = None
    useful_tokens: Annotated[int | None, "Number of tokens in the timed inputs, without padding."] = None
    padded_tokens: Annotated[int | None, "Number of tokens in the timed inputs, including padding."] = None
    rss_import_bytes: Annotated[
        int | None, "Peak of the resident memory (VmHWM) during import, including pages that are mapped from files."
    ] = None
    rss_load_bytes: Annotated[int | None, "Peak of the resident memory during load."] = None
    rss_first_call_bytes: Annotated[int | None, "Peak of the resident memory during the first call."] = None
    rss_peak_bytes: Annotated[
        int | None, "Peak of the resident memory during the whole trial, for inputs of up to rss_peak_tokens."
    ] = None
    rss_anon_import_bytes: Annotated[
        int | None,
        "Peak of the anonymous memory (RssAnon + VmSwap), which the process itself allocated, during import.",
    ] = None
    rss_anon_load_bytes: Annotated[int | None, "Peak of the anonymous memory during load."] = None
    rss_anon_first_call_bytes: Annotated[int | None, "Peak of the anonymous memory during the first call."] = None
    rss_anon_peak_bytes: Annotated[
        int | None, "Peak of the anonymous memory during the whole trial. This is what diff compares."
    ] = None
    rss_file_bytes: Annotated[
        int | None,
        "Memory mapped from files, or shared, after the last call: libraries and weights. It depends on the page "
        "cache.",
    ] = None
    rss_peak_tokens: Annotated[
        int | None, "Length in tokens of the longest input that the memory peaks cover: the task's longest."
    ] = None
    box_peak_bytes: Annotated[
        int | None, "Peak of the box's memory according to its cgroup, including page cache; null where not known."
    ] = None
    cpu_seconds: Annotated[float | None, "CPU time (user and system) of the process during the timed calls."] = None
    steal_seconds: Annotated[
        float | None, "CPU time that the hypervisor took away during the timed calls; null where not known."
    ] = None
    throttled_periods: Annotated[
        int | None,
        "Number of periods in which a CPU quota stopped the box, or a group above it, during the timed calls; null "
        "where not known.",
    ] = None
    throttled_seconds: Annotated[
        float | None, "Time for which a quota kept CPUs from running the box during the timed calls, over all its CPUs."
    ] = None
    quota_periods: Annotated[
        int | None, "Number of periods of a CPU quota that the timed calls took; 0 without a quota, null if not known."
    ] = None
    waiting_seconds: Annotated[
        float | None,
        "Time for which threads were ready to run but had no CPU during the timed calls, over all threads; null where "
        "not known.",
    ] = None
    involuntary_switches: Annotated[int | None, "Number of involuntary context switches during the timed calls."] = None
    reference_seconds: Annotated[
        float | None, "Time of a fixed reference kernel, run right before and after the timed calls; their mean."
    ] = None
    partner_seconds: Annotated[
        float | None, "Time that this trial waited for the turns of its partner; null without a partner."
    ] = None
    settling_seconds: Annotated[
        float | None,
        "Time that the engine's threads took to go idle after the last call of a turn, so that the partner could run; "
        "the mean over the turns. It is 0 with one thread, and null without a partner.",
    ] = None
    unsettled_turns: Annotated[
        int | None,
        "Number of turns, of both sides, after which the threads were not idle in time; null without a partner.",
    ] = None
    energy_joules_per_call: Annotated[
        float | None, "Energy of the CPU package per timed call (RAPL); null where the machine does not show it."
    ] = None


@dataclass(init=False, eq=False, repr=False)
class ReadBack:
    """The resources that the box really had, as read inside it."""

    box_cpus: Annotated[str | None, "CPUs that the box was pinned to, such as '0,2', read inside it."] = None
    box_cgroup_version: Annotated[
        int | None, "Version of the cgroups that the limits were read from; null if none was found."
    ] = None
    box_memory_limit_bytes: Annotated[
        int | None, "Lowest memory limit found inside the box; null if there is none, or if it is not known."
    ] = None
    box_quota_cpus: Annotated[
        float | None, "Lowest CPU quota found inside the box, in CPUs; null if there is none, or if it is not known."
    ] = None
    box_engine_threads: Annotated[int | None, "Number of threads that the engine reports for its computations."] = None
    box_os_threads: Annotated[int | None, "Threads of the whole process, counted by the kernel."] = None
    box_cpu_model: Annotated[str | None, "CPU model read inside the box; null if not known."] = None
    box_kernel: Annotated[str | None, "Kernel release read inside the box."] = None
    box_instruction_sets: Annotated[
        str | None, "Instruction sets of the CPU that matter here, such as 'avx2 avx512f'; null if not known."
    ] = None
    box_engine: Annotated[
        str | None, "JSON of what the engine says about itself: library versions, instruction set."
    ] = None
    no_turns: Annotated[
        str | None, "Why the trial could not take turns with a partner; then its latency itself is compared."
    ] = None
    box_rest: Annotated[str | None, "JSON of everything else that was read inside the box."] = None


@dataclass(init=False, eq=False, repr=False)
class CallSeries:
    """A list for each column of the table samples, with one entry for each timed call."""

    turn: Annotated[
        list[int] | None,
        "Number of the turn, from 0. In each turn the box and its partner get the same inputs, one after the other.",
    ] = None
    call: Annotated[list[int] | None, "Number of the timed call, from 0, in order."] = None
    batch: Annotated[list[int] | None, "Number of the input, among the distinct inputs."] = None
    tokenize_seconds: Annotated[
        list[float] | None, "Part of the time that it took to tokenize and pad the texts; the rest is the engine's."
    ] = None
    latency_seconds: Annotated[list[float] | None, "Time of the call, from the texts to the predictions."] = None


@dataclass(init=False, eq=False, repr=False)
class MemorySeries:
    """A list for each column of the table memory, with one entry for each sample."""

    phase: Annotated[list[str] | None, "Phase that the trial was in."] = None
    seconds: Annotated[list[float] | None, "Time since the start of the trial's process."] = None
    rss_anon_bytes: Annotated[
        list[int | None] | None, "Anonymous memory of the process; the rest of rss_bytes is mapped from files."
    ] = None
    rss_bytes: Annotated[list[int] | None, "Resident memory of the process."] = None


@dataclass(init=False, eq=False, repr=False)
class Series:
    """What a trial records over time."""

    samples: CallSeries | None = None
    memory: MemorySeries | None = None


@dataclass(init=False, eq=False, repr=False)
class Measured(Durations, Figures, ReadBack, Series):
    """All that a box writes. `unfair` says how the box differs from what the job asked for; None if it does not."""

    unfair: str | None = None


def to_json(record: object) -> str:
    """Return a record as JSON, without the fields that are None."""
    return json.dumps(record, default=_known_fields)


def _known_fields(record: object) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if value is not None}
