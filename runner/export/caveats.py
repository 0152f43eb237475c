"""Say what a reader must know before relying on a variant."""

from __future__ import annotations

from collections.abc import Iterator

from runner.config.task_kinds import EMBEDDING, MULTI_LABEL, RANKED, RERANK, RETRIEVAL, SIMILARITY, TOKENS
from runner.export.variant import Variant
from runner.machine.int8 import ADVICE, EIGHT_BITS
from runner.results.format import pluralize, significant
from runner.results.lineage import is_masked, notes_of
from runner.results.saturation import moved


def caveats(variant: Variant) -> list[str]:
    """Return the caveats, each in one or two sentences. The caveat about the machine is always there."""
    about = (_of_the_ratio, _of_the_model, _of_the_predictions, _of_int8, _of_the_machine)
    return [caveat for each in about for caveat in each(variant)]


def _of_the_ratio(variant: Variant) -> Iterator[str]:
    row = variant.row
    if row["job"] != row["baseline_job"]:
        if row["latency_ratio"] is None:
            yield "Its latency was never compared with a baseline's: its speedup is not known."
        elif row["latency_ratio_low"] is None:
            yield "There was only one round, so its speedup has no interval and may be due to chance."
        elif row["verdict"] == "tie":
            yield "A tie: its latency cannot be distinguished from the baseline's."
        elif row["verdict"] == "disturbed":
            yield "The machine was disturbed in most rounds: its speedup may be wrong."
        elif row["verdict"] == "slower":
            yield "It is slower than the baseline."
    failed = row["trials_planned"] - row["trials_ok"] - row["trials_missing"]
    if failed:
        why = f": {row['error']}" if row["error"] else ""
        yield f"{failed} of {pluralize(row['trials_planned'], 'trial')} failed ({row['status']}){why}."
    if row["trials_missing"]:
        yield f"{pluralize(row['trials_missing'], 'planned trial')} never ran."


def _of_the_model(variant: Variant) -> Iterator[str]:
    if variant.row["weights"] == "random":
        yield "Its weights are random: size, memory and speed are a trained model's, but its predictions are random."
    else:
        yield "Licences are not recorded: those of the model that it started from and of its training texts apply."
    if matched := _labels_renamed(variant):
        yield f"The model that it started from has other names for its labels: {', '.join(matched)}."
    if is_masked(variant.lineage):
        yield "Weights were pruned by setting them to 0. All of them are still there, so it is no smaller or faster."
    if variant.engine == "torch_compile":
        yield "It is compiled each time it is loaded, which needs a C++ compiler (g++)."
    if variant.engine == "aot_inductor":
        yield "It holds machine code for the instruction sets of the CPU below: on other CPUs it may not run at all."


def _labels_renamed(variant: Variant) -> list[str]:
    """Return each label whose output had another name, with that name."""
    notes = [(record.get("notes") or {}).get("label_outputs") or {} for record in variant.lineage]
    found = {label: output["name"] for outputs in notes for label, output in outputs.items()}
    return [f"{label} was {name}" for label, name in found.items() if label != name]


def _of_the_predictions(variant: Variant) -> Iterator[str]:
    row = variant.row
    if row["weights"] != "random":
        yield _of_what_it_is_worth(variant)
    prompts = next((notes["prompts"] for notes in notes_of(variant.lineage) if "prompts" in notes), None)
    if variant.kind == RETRIEVAL and prompts:
        yield (
            f"It was evaluated with {prompts[0]!r} before each query and {prompts[1]!r} before each document. Write "
            "them before your texts."
        )
    if variant.kind == TOKENS:
        yield (
            f"It reads {row['max_length']} tokens of a text, special ones included. A word that is cut off has no tag, "
            "which counts as wrong."
        )
    if row["batch_changed_predictions"]:
        difference = row["batch_logit_difference"]
        by = f" (logits by up to {significant(difference, 2)})" if difference is not None else ""
        yield (
            f"Its predictions depend on the other texts in the call{by}: {row['batch_changed_predictions']} of "
            f"{pluralize(row['batch_examples'], _example(variant))} got another prediction in another batch."
        )


def _of_what_it_is_worth(variant: Variant) -> str:
    row = variant.row
    texts = f"{pluralize(row['examples'] or 0, _example(variant))} of the task {row['task']}"
    if variant.kind == EMBEDDING:
        return (
            f"Its vectors were compared only with the baseline's, on {texts}. How well they serve a search or a "
            "comparison of texts was not evaluated."
        )
    if variant.kind == SIMILARITY:
        return f"Its correlation with people's scores was measured on {texts}; on other texts it may differ."
    if variant.kind in RANKED:
        return f"How well it ranks documents was measured on {texts}; on others it may differ."
    if row["accuracy"] is None:
        return "Accuracy is not known: its task has no labels."
    whole = " A text counts as right only if all of its labels are." if variant.kind == MULTI_LABEL else ""
    return f"Accuracy was measured on {texts}; on other texts it may differ.{whole}"


def _example(variant: Variant) -> str:
    return {TOKENS: "word", SIMILARITY: "pair", RETRIEVAL: "query", RERANK: "query"}.get(variant.kind, "text")


def _of_int8(variant: Variant) -> Iterator[str]:
    row = variant.row
    if row["int8_may_saturate"]:
        how = f": {said} compared with the baseline, as the effect of all its steps" if (said := moved(row)) else ""
        yield f"Its int8 products may saturate on the CPU below, which has no VNNI{how}. {ADVICE}"
    elif row["int8_weight_bits"] == EIGHT_BITS:
        yield (
            "Its int8 products were exact on the CPU below. On an x86 CPU without VNNI they may saturate, which "
            f"changes predictions: measure there before you serve it there. {ADVICE}"
        )


def _of_the_machine(variant: Variant) -> Iterator[str]:
    trial = variant.trial
    if variant.row["isolation"] == "process":
        yield "It was measured in a pinned process, not in a container: memory and network were not enclosed."
    sets = f" ({trial['box_instruction_sets']})" if trial["box_instruction_sets"] else ""
    yield (
        f"All of this was measured on {trial['box_cpu_model'] or 'an unknown CPU'}{sets}. Other CPUs rank variants "
        "differently, especially those in int8: measure there before you decide."
    )
