"""The record of a prediction: a row of predictions.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(kw_only=True)
class Prediction:
    """What a job predicts for one example, beside what its baseline predicts."""

    job: Annotated[str, "Key of the job."]
    model: Annotated[str, "Name of the model."]
    technique: Annotated[str, "Name of the technique."]
    task: Annotated[str, "Name of the task."]
    workload: Annotated[str, "Name of the workload."]
    example: Annotated[
        int, "Number of the example, from 0, in the order of the test split; in tagged texts each word is an example."
    ]
    of_text: Annotated[int, "Number of the text that the example belongs to, from 0; words of a text share it."]
    text: Annotated[str, "Text of the example; both texts of a pair, a line each; for a word, the words around it."]
    label: Annotated[str | None, "True label of the example; null where the task has none."]
    prediction: Annotated[
        str | None,
        "Label with the highest probability, or all labels above 0.5; null if a logit is not a finite number.",
    ]
    probability: Annotated[
        float | None, "Probability of the prediction (softmax; with several labels, the product of the sigmoids)."
    ]
    probabilities: Annotated[list[float] | None, "Probability of each label, in the order of manifest.json."]
    baseline_prediction: Annotated[str | None, "What the baseline predicts."]
    baseline_probability: Annotated[float | None, "Probability of the baseline's prediction."]
    cosine: Annotated[float | None, "For a task of vectors: cosine of the text's vector with the baseline's."]
    score: Annotated[float | None, "For pairs with scores: the score that people gave the pair."]
    similarity: Annotated[float | None, "For pairs with scores: cosine of the two texts' vectors."]
    ndcg_at_10: Annotated[
        float | None, "For a query: normalized discounted cumulative gain of the first 10 documents, from 0 to 1."
    ]
    mrr_at_10: Annotated[
        float | None, "For a query: 1 ÷ the rank of the first relevant document; 0 if none is among the first 10."
    ]
    recall_at_10: Annotated[float | None, "For a query: share of its relevant documents among the first 10."]
    recall_at_100: Annotated[float | None, "For a query: share of its relevant documents among the first 100."]
    total_variation: Annotated[
        float | None,
        "Total variation distance from the baseline's probabilities or, with several labels, the largest change of a "
        "label's probability; from 0 to 1.",
    ]
