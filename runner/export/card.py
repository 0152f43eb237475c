"""Write README.md of an exported folder: a model card with the measurements and their conditions.

Its front matter is that of the Hugging Face hub (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from runner.config.task_kinds import (
    CLASSIFIED,
    EMBEDDING,
    MULTI_LABEL,
    RANKED,
    RERANK,
    RETRIEVAL,
    SIMILARITY,
    TOKENS,
    VECTORS,
)
from runner.export.caveats import caveats
from runner.export.layouts.layout import ENGINES
from runner.export.variant import Variant
from runner.report.accuracy import accuracy_detail
from runner.report.columns import QUALITY, Cell
from runner.report.markdown import escape
from runner.report.quality import certificate
from runner.report.run import facts
from runner.report.view import Group, groups
from runner.report.view import Variant as Measured
from runner.results.format import UNKNOWN, seconds, short_id
from runner.results.halves import search_note
from runner.results.tables import Tables

_LIBRARIES = {  # engine -> the library that loads its artifacts, as the hub calls it
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "llamacpp": "gguf",
    "torch": "transformers",
    "torch_compile": "transformers",
    "torchscript": "pytorch",
    "aot_inductor": "pytorch",
}
_OF_THE_SWEEP = ("Measured", "Rounds asked for")  # among its facts
_PIPELINES = dict.fromkeys(CLASSIFIED, "text-classification") | {  # of the hub
    EMBEDDING: "feature-extraction",
    SIMILARITY: "sentence-similarity",
    RETRIEVAL: "sentence-similarity",
    RERANK: "text-ranking",
    TOKENS: "token-classification",
}
_RIGHT = {MULTI_LABEL: "Accuracy: all labels of a text right", TOKENS: "Accuracy of words"}
_MEASURED = (  # for the model-index: name, title with unit, column, and the factor from the column's unit
    ("latency", "Latency p50 (ms)", "latency_p50_seconds", 1e3),
    ("latency_ratio", "Latency ÷ the baseline's", "latency_ratio", 1),
    ("disk", "Size on disk (MB)", "disk_bytes", 1e-6),
    ("memory", "Peak of the resident memory (MB)", "rss_peak_bytes", 1e-6),
)
_NOT_OF_VECTORS = ("Accuracy", "Changed")  # among the columns of a group


def render_card(tables: Tables, variant: Variant, use: Iterable[str] = ()) -> str:
    """Return README.md. Every text is escaped, so that none can become markup.

    Args:
        tables: the tables of the sweep.
        variant: the variant.
        use: the parts that say how to load the folder; see `runner.export.layouts.layout`.
    """
    group = _group_of(tables, variant)
    parts = [
        f"---\n{_front_matter(variant)}\n---",
        f"# {escape(variant.name)}",
        escape(_lead(variant)),
        *use,
        "## Measured",
        escape(_verdict(group, variant)),
        _measured(group, variant),
        escape(f"In brackets: 95% intervals; × is a figure ÷ the baseline's. {group.caption} {group.noise}".rstrip()),
        "## Before you rely on it",
        "\n".join(f"- {escape(caveat)}" for caveat in (*caveats(variant), *search_note(tables))),
        "## Where it was measured",
        _table(("", ""), [pair for pair in facts(tables) if pair[0] not in _OF_THE_SWEEP]),
        "## How it was made",
        _table(("Step", "Settings", "Took", "When (UTC)"), map(_step, variant.lineage)),
        escape(f"Sweep {tables.manifest['sweep']}, job {variant.row['job']}, artifact {variant.row['artifact']}."),
        "The same figures, and all others that were measured, are in `measurements.json`.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(variant: Variant) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    row = variant.row
    task, name = (" ".join(str(text).split()) for text in (row["task"], variant.name))
    figures = [
        ("accuracy", _RIGHT.get(variant.kind, "Accuracy"), "accuracy"),
        ("f1", "Macro-F1", "macro_f1"),
        ("f1", "Micro-F1", "micro_f1"),
        ("f1", "Entity F1", "entity_f1"),
        ("spearmanr", "Spearman", "spearman"),
        ("pearsonr", "Pearson", "pearson"),
        ("ndcg_at_10", "nDCG@10", "ndcg_at_10"),
        ("recall_at_100", "Recall@100", "recall_at_100"),
    ]
    pipeline = _PIPELINES[variant.kind]
    found = [(metric, title, row[column]) for metric, title, column in figures]
    found += [(name, title, row[column] and round(row[column] * unit, 6)) for name, title, column, unit in _MEASURED]
    evaluated = [
        EvalResult(pipeline, task, task, metric, value, dataset_split="test", metric_name=title)
        for metric, title, value in found
        if value is not None
    ]
    tags = [row["artifact_format"], variant.trial["precision"], "cpu"]
    card = ModelCardData(
        library_name=_LIBRARIES[variant.engine],
        pipeline_tag=pipeline,
        base_model=_origin(variant).get("hub_id"),
        tags=[tag for tag in tags if tag],
        model_name=name,
        eval_results=evaluated or None,
    )
    return str(card.to_yaml())


def _origin(variant: Variant) -> dict[str, Any]:
    """Return where the weights came from, as the first step recorded it. Random weights give {}."""
    return variant.lineage[0]["input"] or {}


def _source(origin: dict[str, Any]) -> str:
    if origin.get("kind") == "hub":
        return f"{origin['hub_id']} of the Hugging Face hub, commit {short_id(origin['revision'])}"
    if origin.get("kind") == "package":
        return "the Python package of SHA-256 " + ", ".join(short_id(one["sha256"]) for one in origin["packages"])
    return f"a folder of SHA-256 {short_id(origin['sha256'])}" if origin else "random weights"


def _lead(variant: Variant) -> str:
    row = variant.row
    precision = f", computing in {variant.trial['precision']}" if variant.trial["precision"] else ""
    return (
        f"The model {row['model']} after the technique {row['technique']}, for {ENGINES[variant.engine]} on a "
        f"CPU{precision}. It started from {_source(_origin(variant))}, and {_told(variant)}."
    )


def _told(variant: Variant) -> str:
    each, labels = "each pair of texts" if variant.pairs else "each text", ", ".join(variant.labels)
    if variant.kind in VECTORS:
        return f"gives {each} a vector"
    if variant.kind == RERANK:
        return "gives each query and document a score"
    if variant.kind == TOKENS:
        return f"gives each word of a text one of these tags: {labels}"
    return f"assigns {each} {'any number' if variant.kind == MULTI_LABEL else 'one'} of these labels: {labels}"


def _group_of(tables: Tables, variant: Variant) -> Group:
    """Return the variant's group of the report, with the variant and the baseline only."""
    kept = {variant.row["job"], variant.row["baseline_job"]}
    for group in groups(tables):
        variants = [one for one in group.variants if one.row["job"] in kept]
        if any(one.row["job"] == variant.row["job"] for one in variants):
            return replace(group, variants=variants)
    raise AssertionError("every job has a group")


def _verdict(group: Group, variant: Variant) -> str:
    shown = next(one for one in group.variants if one.row["job"] == variant.row["job"])
    if shown.verdict == "baseline":
        return "This is the baseline itself, with which the others in its sweep were compared."
    quality = certificate(variant.row)
    said = f" Quality {quality}." if quality else ""
    return f"Verdict: {shown.verdict}. Speedup {_text(shown.cells['Speedup'])} against the baseline.{said}"


def _measured(group: Group, variant: Variant) -> str:
    """Return the table of the variant's figures beside the baseline's."""
    ordered = sorted(group.variants, key=lambda one: one.row["job"] != variant.row["job"])
    left_out = _NOT_OF_VECTORS if variant.kind in (*VECTORS, *RANKED) else ()
    titles = [column.title for column in group.columns if column.title not in left_out]
    rows = [(title, *(_figure(one, title) for one in ordered)) for title in titles]
    detail = accuracy_detail(group, variant.labels)
    if detail:
        by_label = {label: cells for label, _, cells in detail.rows}
        for place, column in enumerate(detail.columns):
            rows.append((column.title, *(_text(by_label[one.label][place]) for one in ordered)))
    heads = ["", "This", "Baseline"][: len(ordered) + 1]
    return _table(heads, [row for row in rows if set(row[1:]) != {UNKNOWN}])


def _figure(one: Measured, title: str) -> str:
    return certificate(one.row) or UNKNOWN if title == QUALITY else _text(one.cells[title])


def _text(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def _step(record: dict[str, Any]) -> tuple[str, ...]:
    settings = {key: value for key, value in (record.get("config") or {}).items() if value is not None}
    if record.get("teacher"):
        settings["teacher"] = short_id(record["teacher"])
    listed = ", ".join(f"{key} {value}" for key, value in settings.items())
    return record["step"], listed, seconds(record.get("seconds")), str(record.get("made_at"))[:16].replace("T", " ")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
