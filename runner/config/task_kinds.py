"""Define the kinds of task, `task.kind` in the config. Boxes read it, so it uses only the standard library.

| kind | labels of a text | prediction | correct prediction |
|---|---|---|---|
| `single-label` | one label | the most probable label (softmax) | the text's label |
| `multi-label` | any number, or none | all labels with a probability above 0.5 (sigmoid) | exactly the text's labels |
| `embedding` | none | a vector | it is compared with the baseline's by their cosine |
| `similarity` | a score for each pair of texts | a vector | the cosines of the pairs are in the order of the scores |
| `retrieval` | grades of documents for a query | a vector | relevant documents are near the query by their cosine |
| `rerank` | grades of documents for a query | a score for query and document | relevant documents have high scores |
| `tokens` | a tag for each word | the most probable tag at each word's first token (softmax) | the word's tag |

A word that `max_length` cuts off, or that has no token, has no prediction, which counts as wrong.
"""

from __future__ import annotations

SINGLE_LABEL = "single-label"
MULTI_LABEL = "multi-label"
EMBEDDING = "embedding"
SIMILARITY = "similarity"
RETRIEVAL, RERANK = "retrieval", "rerank"
CLASSIFIED = (SINGLE_LABEL, MULTI_LABEL)
TOKENS = "tokens"
VECTORS = (EMBEDDING, SIMILARITY, RETRIEVAL)  # the model gives a vector for each text
RANKED = (RETRIEVAL, RERANK)  # the documents of a query are ranked
JUDGED = (SIMILARITY, *RANKED)  # people judged two texts
WHOLE = (*CLASSIFIED, *VECTORS, RERANK)  # a text is evaluated as a whole
KINDS = (*WHOLE, TOKENS)

THRESHOLD = 0.5  # the probability above which a label of a multi-label task is predicted
LABELLED = (*CLASSIFIED, TOKENS)  # the model predicts labels
NONE = "(none)"  # the name for no label


def joined(labels: list[str]) -> str:
    """Return the labels of a multi-label text, in the task's order, as one name."""
    return " + ".join(labels) or NONE
