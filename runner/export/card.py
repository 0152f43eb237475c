"""Write README.md of an exported folder: a model card with the measurements and their conditions.

Its front matter is that of the Hugging Face hub (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from runner.export.variant import Variant
from runner.report.accuracy import accuracy_detail
from runner.report.columns import Cell
from runner.report.markdown import escape
from runner.report.run import facts
from runner.report.view import Group, groups
from runner.results.format import UNKNOWN, pluralize, seconds, short_id
from runner.results.tables import Tables

_RUNS_ON = {  # engine -> its name, and the library that loads the artifact, as the hub calls it
    "onnxruntime": ("ONNX Runtime", "onnx"),
    "openvino": ("OpenVINO", "openvino"),
    "llamacpp": ("llama.cpp", "gguf"),
    "torch": ("PyTorch", "transformers"),
    "torch_compile": ("PyTorch, compiled at every load", "transformers"),
    "torchscript": ("PyTorch (TorchScript)", "pytorch"),
    "aot_inductor": ("PyTorch (AOTInductor)", "pytorch"),
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
_NOT_OF_VECTORS = ("Accuracy", "Changed")  # among the columns of a group


def render_card(tables: Tables, variant: Variant, service: Mapping[str, Any] | None = None) -> str:
    """Return README.md. Every text is escaped, so that none can become markup.

    Args:
        tables: the tables of the sweep.
        variant: the variant.
        service: the settings of the service in the folder, if there is one; see `runner.export.service`.
    """
    group = _group_of(tables, variant)
    parts = [
        f"---\n{_front_matter(variant)}\n---",
        f"# {escape(variant.name)}",
        escape(_lead(variant)),
        _use(variant),
        escape(_how_called(variant)),
        *([*_serve(service, variant)] if service else []),
        "## Measured",
        escape(_verdict(group, variant)),
        _measured(group, variant),
        escape(f"In brackets: 95% intervals, and × a figure ÷ the baseline's. {group.caption} {group.noise}".rstrip()),
        "## Before you rely on it",
        "\n".join(f"- {escape(caveat)}" for caveat in caveats(variant)),
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
    evaluated = [
        EvalResult(pipeline, task, task, metric, row[column], dataset_split="test", metric_name=title)
        for metric, title, column in figures
        if row[column] is not None
    ]
    tags = [row["artifact_format"], variant.trial["precision"], "cpu"]
    card = ModelCardData(
        library_name=_RUNS_ON[variant.engine][1],
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
        f"The model {row['model']} after the technique {row['technique']}, for {_RUNS_ON[variant.engine][0]} on a "
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
    return f"tells of {each} which of these it {'has' if variant.kind == MULTI_LABEL else 'is'}: {labels}"


def _use(variant: Variant) -> str:
    given = '"One text" "The text that goes with it"' if variant.pairs else '"A text to be evaluated"'
    if variant.kind == TOKENS:
        given = '"The words of a text , a space between them"'
    to = " > vectors.txt" if variant.kind in VECTORS else ""
    return f"```\npip install -r requirements.txt\npython predict.py {given}{to}\n```"


def _how_called(variant: Variant) -> str:
    row, rest = variant.row, json.loads(variant.trial["box_rest"] or "{}")
    python = f"Python {rest['python']}" if rest.get("python") else "an unknown Python"
    return (
        f"predict.py needs nothing but this folder and these packages. It calls the model as it was called when it was "
        f"measured, with {pluralize(row['threads'], 'thread')} (settings.json); that was on {python}. The CPUs were "
        "pinned, which is up to you, such as with taskset."
    )


def _serve(service: Mapping[str, Any], variant: Variant) -> Iterator[str]:
    one: Any = "A text to be evaluated"
    one = {"text": one, "pair": ["One text", "The text that goes with it"], "words": one.split()}[service["input"]]
    body = json.dumps({"inputs": one})
    yield "## Serve it"
    yield (
        "```\npip install -r requirements.txt\npython service.py --port 8000\n"
        f"curl http://127.0.0.1:8000/predict -d '{body}'\n```"
    )
    threads = pluralize(variant.row["threads"], "thread")
    batches = f"batches of up to {service['max_batch_size']}" if service["max_batch_size"] > 1 else "one text at a time"
    yield escape(
        f"The service has {pluralize(service['workers'], 'worker')}. Each worker is a process with {threads}, and "
        f"answers {batches}. Up to {pluralize(service['queue'], 'text')} wait (settings.json); one that arrives when "
        "the queue is full is rejected with status 503. GET /health says whether all workers run, and GET /metrics "
        "counts for Prometheus. The service ends when a worker ends: let something start it again, such as Docker's "
        "--restart=always. The Dockerfile makes an image of it."
    )


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
        return "This is the baseline itself: what the others of its sweep were measured against."
    return f"Verdict: {shown.verdict}. Speedup {_text(shown.cells['Speedup'])} against the baseline."


def _measured(group: Group, variant: Variant) -> str:
    """Return the table of the variant's figures beside the baseline's."""
    ordered = sorted(group.variants, key=lambda one: one.row["job"] != variant.row["job"])
    left_out = _NOT_OF_VECTORS if variant.kind in (*VECTORS, *RANKED) else ()
    titles = [column.title for column in group.columns if column.title not in left_out]
    rows = [(title, *(_text(one.cells[title]) for one in ordered)) for title in titles]
    detail = accuracy_detail(group, variant.labels)
    if detail:
        by_label = {label: cells for label, _, cells in detail.rows}
        for place, column in enumerate(detail.columns):
            rows.append((column.title, *(_text(by_label[one.label][place]) for one in ordered)))
    heads = ["", "This", "Baseline"][: len(ordered) + 1]
    return _table(heads, [row for row in rows if set(row[1:]) != {UNKNOWN}])


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
