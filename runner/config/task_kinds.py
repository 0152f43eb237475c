"""How a task is evaluated: its kind, `task.kind` in the config. Standard library only; boxes ask, too.

| kind | a text has | predicted is | right is |
|---|---|---|---|
| `single-label` | one of the labels | the most probable (softmax) | the label |
| `multi-label` | any number of them, or none | all whose probability is above 0.5 (sigmoid) | exactly these labels |
| `embedding` | no label | a vector | near the baseline's, by the cosine of the two |
| `tokens` | a tag for each of its words | of each word, the most probable at its first token (softmax) | the tag |

A word that `max_length` cuts off, or that has no token, is predicted nothing, which is wrong.
"""

from __future__ import annotations

SINGLE_LABEL = "single-label"
MULTI_LABEL = "multi-label"
EMBEDDING = "embedding"
CLASSIFIED = (SINGLE_LABEL, MULTI_LABEL)
TOKENS = "tokens"
WHOLE = (*CLASSIFIED, EMBEDDING)  # a text is evaluated as a whole
KINDS = (*WHOLE, TOKENS)

THRESHOLD = 0.5  # of the probability of each label of a multi-label task
NONE = "(none)"  # what a text without any of the labels is called


def joined(labels: list[str]) -> str:
    """Return the labels of a text of several, in the order of the task's, as one name."""
    return " + ".join(labels) or NONE
