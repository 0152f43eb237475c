"""What a job is and what it runs: the columns that the records of a trial, of a prepared job and of a summary share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(kw_only=True)
class Assembled:
    """A record that is put together from parts that become known one after the other."""

    def add(self, part: object) -> None:
        """Copy every value of a part that is not None and for which this record has a field."""
        known = {name: value for name, value in vars(part).items() if value is not None}
        vars(self).update((name, known[name]) for name in known.keys() & self.__dataclass_fields__.keys())


@dataclass(kw_only=True)
class JobIdentity:
    """What the grid says about a job."""

    sweep: Annotated[str | None, "Name of the sweep, which is the name of its grid."] = None
    job: Annotated[
        str | None, "Key of the job: model × technique × task × workload × threads × isolation × open load."
    ] = None
    model: Annotated[str | None, "Name of the model."] = None
    family: Annotated[str | None, "Family of the model; the members of a family share one baseline."] = None
    weights: Annotated[
        str | None, "'trained', or 'random' for random weights of the same shape, for which accuracy is null."
    ] = None
    technique: Annotated[str | None, "Name of the technique."] = None
    task: Annotated[str | None, "Name of the task, which says where texts and labels come from."] = None
    workload: Annotated[str | None, "Name of the workload, which says how texts are grouped into calls."] = None
    batch_size: Annotated[int | None, "Number of texts in one call."] = None
    padding: Annotated[str | None, "How the texts of one call are padded to the same length."] = None
    max_length: Annotated[int | None, "Length in tokens after which an input is cut off."] = None
    bucket: Annotated[
        int | None, "Lengths are padded to a multiple of this number of tokens; null unless padding is 'bucketed'."
    ] = None
    threads: Annotated[int | None, "Threads of the engine, each pinned to a physical core of its own."] = None
    isolation: Annotated[str | None, "Kind of box: 'docker' or 'process'."] = None
    quota_cpus: Annotated[float | None, "CPU quota that the box was asked for, in CPUs; null without a quota."] = None
    load: Annotated[
        str | None, "Name of the open load, under which the capacity was measured; null if the load was closed."
    ] = None
    workers: Annotated[
        int | None, "Worker processes of the service, each with `threads` threads; null if the load was closed."
    ] = None
    max_batch_size: Annotated[
        int | None, "Largest number of requests in a call of the service; null if the load was closed."
    ] = None
    max_wait_seconds: Annotated[
        float | None, "Time that a worker waits for more requests to fill a batch; null if the load was closed."
    ] = None
    slo_percentile: Annotated[
        float | None, "Percentile of the latency that the objective bounds; null if the load was closed."
    ] = None
    slo_seconds: Annotated[float | None, "Bound of the objective on that latency; null if the load was closed."] = None
    cpu: Annotated[str | None, "CPU model, where the nodes of a cluster differ in it; null where they do not."] = None


@dataclass(kw_only=True)
class ArtifactFacts:
    """What the artifact of a job is."""

    artifact: Annotated[str | None, "SHA-256 of the artifact's files."] = None
    artifact_format: Annotated[str | None, "Format of the artifact: checkpoint, onnx, torchscript …"] = None
    plugins: Annotated[
        str | None,
        "The user's own code in this job, such as 'steps/shout@1a2b3c4d5e6f': kind, name and SHA-256; null if there is "
        "none.",
    ] = None
    masked: Annotated[
        bool | None, "Whether weights were pruned by setting them to 0, which does not make them fewer."
    ] = None
    int8_weight_bits: Annotated[
        int | None,
        "Bits of the signed weights that are multiplied by unsigned 8-bit activations: 8 if a weight is beyond ±64, "
        "otherwise 7; 0 if there are no such weights.",
    ] = None
    int8_may_saturate: Annotated[
        bool | None,
        "Whether the products of these weights may be cut off at 16 bits on the CPU of the box, because they have 8 "
        "bits and the CPU has no VNNI.",
    ] = None


@dataclass(kw_only=True)
class ArtifactSize:
    """How large the artifact of a job is."""

    disk_bytes: Annotated[int | None, "Size of the artifact's files on disk."] = None
    compressed_bytes: Annotated[int | None, "Size of the same files when each is compressed (zstd, level 10)."] = None


@dataclass(kw_only=True)
class Precision:
    """The number format in which the engine of a job computes."""

    precision: Annotated[
        str | None,
        "Number format in which the engine really computed its matrix products: float32, int8, bfloat16 …; null if not "
        "known.",
    ] = None
