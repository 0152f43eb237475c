"""Show Prolego's model-compression study of 2022, which this project repeats, beside this sweep's rows."""

from __future__ import annotations

from dataclasses import dataclass

from runner.results.format import UNKNOWN, pluralize, significant
from runner.results.tables import Row, Tables

TITLE = "The seed study: Prolego's model-compression study, 2022"
SENTENCES = 16
CAVEAT = (
    "roberta-base, 16 sentences padded to 512 tokens. Caution: its PyTorch rows ran sentence by sentence, its ONNX and "
    "TorchScript rows ran all 16 in one call, and the numbers of threads differed; our rows all ran the same way. "
    "Inference is the time for all 16 sentences: ours is the mean time of a call × 16 ÷ batch size."
)


@dataclass(frozen=True)
class Published:
    """A row as published: sizes in GiB and MB, times in seconds, inference of all 16 sentences."""

    name: str
    peak_gib: float
    disk_mb: float
    load_seconds: float
    inference_seconds: float
    accuracy: float | None = None  # on 100 tweets


PUBLISHED = {
    ("roberta-base", "torch-eager"): Published("baseline", 1.6, 500, 1.4, 19, 0.70),
    ("roberta-base", "onnx"): Published("ONNX", 1.5, 500, 0.9, 6),
    ("roberta-base", "onnx-int8"): Published("ONNX int8", 0.9, 125, 0.4, 3, 0.69),
    ("roberta-base", "torchscript"): Published("TorchScript", 1.4, 500, 0.5, 21),
    ("roberta-base", "torch-int8"): Published("TorchScript int8", 1.2, 240, 0.8, 8, 0.71),
    ("roberta-base", "heads-25"): Published("heads pruned 25%", 1.4, 470, 1.5, 18),
    ("roberta-base", "heads-50"): Published("heads pruned 50%", 1.25, 440, 1.7, 17),
    ("roberta-base", "heads-90"): Published("heads pruned 90%", 1.2, 400, 1.3, 12),
    ("distilroberta-base", "torch-eager"): Published("distilroberta", 1.2, 330, 0.9, 10),
    ("distilroberta-base", "onnx-int8"): Published("distilroberta ONNX int8", 0.9, 80, 0.2, 2),
    ("distilroberta-base", "heads-90-onnx-int8"): Published(
        "distilroberta ONNX int8, heads pruned 90%", 0.6, 70, 0.2, 1
    ),
}
_BASELINE = PUBLISHED["roberta-base", "torch-eager"]

COLUMNS = ("Peak RAM, GiB", "Disk, MB", "Load, s", "Inference, s", "Speedup", "Accuracy")


@dataclass(frozen=True)
class Beside:
    """One published row beside this sweep's: pairs (published, this sweep) in the order of COLUMNS."""

    name: str
    technique: str
    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class SeedStudy:
    """All published rows beside this sweep's, for one number of threads."""

    threads: str
    rows: list[Beside]


def seed_studies(tables: Tables) -> list[SeedStudy]:
    """Return one comparison for each number of threads. Empty unless the grid is `seed`."""
    if tables.manifest.get("sweep") != "seed":
        return []
    ours: dict[int, dict[tuple[str, str], Row]] = {}
    for row in tables.jobs:
        if row["task"] == "alice" and row["family"] == "roberta-base":
            ours.setdefault(row["threads"], {})[row["model"], row["technique"]] = row
    return [
        SeedStudy(
            pluralize(threads, "thread"), [_beside(key, theirs, rows.get(key)) for key, theirs in PUBLISHED.items()]
        )
        for threads, rows in sorted(ours.items())
    ]


def inference_seconds(row: Row) -> float | None:
    """Return the time for all 16 sentences: mean time of a call × 16 ÷ batch size."""
    if row["latency_mean_seconds"] is None or not row["batch_size"]:
        return None
    return float(row["latency_mean_seconds"]) * SENTENCES / int(row["batch_size"])


def _beside(key: tuple[str, str], theirs: Published, row: Row | None) -> Beside:
    published = [
        f"{theirs.peak_gib:g}",
        f"{theirs.disk_mb:g}",
        f"{theirs.load_seconds:g}",
        f"{theirs.inference_seconds:g}",
        f"{significant(_BASELINE.inference_seconds / theirs.inference_seconds, 2)}×",
        UNKNOWN if theirs.accuracy is None else f"{theirs.accuracy:.2f}",
    ]
    own = [UNKNOWN] * len(COLUMNS) if row is None else _own(row)
    return Beside(theirs.name, " · ".join(key), list(zip(published, own, strict=True)))


def _own(row: Row) -> list[str]:
    figures = [
        (row["rss_peak_bytes"], 2**-30),
        (row["disk_bytes"], 1e-6),
        (row["load_seconds"], 1.0),
        (inference_seconds(row), 1.0),
    ]
    ratio, accuracy = row["latency_ratio"], row["accuracy"]
    return [
        *(UNKNOWN if value is None else significant(value * scale) for value, scale in figures),
        UNKNOWN if ratio is None else f"{significant(1 / ratio)}×",
        UNKNOWN if accuracy is None else f"{accuracy:.2f}",
    ]
