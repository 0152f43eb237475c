"""A classifier without attention: the mean of its tokens' vectors, and a small network. The extreme point of the field.

A token's vector starts as what the teacher makes of the token alone, reduced by principal component analysis, as in
Model2Vec (Tulkens and van Dongen, "Model2Vec: Fast State-of-the-Art Static Embeddings", 2024,
https://github.com/MinishLab/model2vec). Vectors and network then learn from the labels and from the teacher's
predictions, as a bag of words does in fastText (Joulin et al., "Bag of Tricks for Efficient Text Classification", EACL
2017). What words mean together is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from runner.errors import UserError
from runner.tasks.tokenizer import load_tokenizer
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.shape import Shape
from runner.techniques.step import StepInputs, step
from runner.techniques.training.distil import hard_loss, soft_loss
from runner.techniques.training.training import Objective, TrainingStep, set_dropout

_OPSET = 17
_IR_VERSION = 8  # of that opset
_TOKENS_A_CALL = 256
_TOLERANCE = 1e-4  # of logits, against the network that was trained


@step("static-embedding")
@dataclass
class StaticEmbedding(TrainingStep):
    """checkpoint (the teacher) → onnx, by training; see `runner.techniques.training.training`.

    Attributes:
        dimensions: of a token's vector; fewer than the teacher's width by principal component analysis.
        hidden: neurons of the network's one hidden layer.
        temperature: that both sides' logits are divided by for the soft targets.
        soft_weight: of the Kullback-Leibler divergence from the teacher's softened predictions, × temperature².
        hard_weight: of the cross-entropy with the labels. Only the ratio of the two counts.
    """

    gives = "onnx"
    keeps_flops = False
    takes_pairs = False

    epochs: int = 12
    learning_rate: float = 2e-3
    batch_size: int = 64
    weight_decay: float = 0.0
    dropout: float = 0.2
    minutes: float = 5.0
    dimensions: int = 64
    hidden: int = 128
    temperature: float = 2.0
    soft_weight: float = 3.0
    hard_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("dimensions", "hidden", "temperature"):
            self.check(key, "above 0", lambda value: value > 0)
        for key in ("soft_weight", "hard_weight"):
            self.check(key, "at least 0", lambda value: value >= 0)
        if not self.soft_weight + self.hard_weight:
            raise UserError(f"step '{self.name}': soft_weight and hard_weight are both 0: nothing to learn.")

    def infer_shape(self, shape: Shape) -> Shape:
        """The same shape, if the teacher's vectors are as wide."""
        if shape.hidden is not None and self.dimensions > shape.hidden:
            raise UserError(
                f"step '{self.name}': dimensions is {self.dimensions}, but the model's hidden states have "
                f"{shape.hidden}; take at most as many."
            )
        return super().infer_shape(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train, write the graph, compare the two; return of every epoch what `fit` does.

        Raises:
            ValueError: if the graph's logits differ.
        """
        assert inputs.source is not None
        teacher = self.start(inputs).eval()
        vectors = reduce(token_vectors(teacher, inputs.source), self.dimensions)
        student = make_student(vectors, self.hidden, teacher.config)
        set_dropout(student, self.dropout)
        notes = self.fit(student, inputs, Taught(teacher, self))
        write_graph(student, target / MODEL)
        return notes | {"largest_logit_difference": _difference(student, target / MODEL)}


def token_vectors(teacher: Any, checkpoint: Path) -> Any:
    """Return the teacher's last hidden state of every token of its vocabulary, alone in a text, [tokens, width]."""
    import torch

    around = load_tokenizer(checkpoint).encode("").ids  # the special tokens
    count, found = teacher.config.vocab_size, []
    with torch.inference_mode():
        for start in range(0, count, _TOKENS_A_CALL):
            tokens = range(start, min(start + _TOKENS_A_CALL, count))
            texts = torch.tensor([[*around[:1], token, *around[1:]] for token in tokens])
            states = teacher(
                input_ids=texts, attention_mask=torch.ones_like(texts), output_hidden_states=True
            ).hidden_states[-1]
            found.append(states[:, len(around[:1])])
    return torch.cat(found).clone()


def reduce(vectors: Any, dimensions: int) -> Any:
    """Return the principal components of vectors [tokens, width], centred, [tokens, dimensions].

    Their mean length is √dimensions, the scale that layers expect of their inputs. The sign of a component is chosen
    such that its largest entry is positive, so the result is one and the same.
    """
    import torch

    centred = (vectors - vectors.mean(0)).double()
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :dimensions]  # largest variance first
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    reduced = centred @ (directions * largest.sign())
    return (reduced / reduced.norm(dim=1).mean() * math.sqrt(dimensions)).float()


def make_student(vectors: Any, hidden: int, config: Any) -> Any:
    """Return the classifier as a torch module that is called as a checkpoint is.

    Args:
        vectors: of the tokens, [tokens, dimensions].
        hidden: neurons of the hidden layer.
        config: the teacher's.
    """
    from torch import nn

    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = config
            self.vectors = nn.Embedding(*vectors.shape)
            self.vectors.weight.data.copy_(vectors)
            self.hidden = nn.Linear(vectors.shape[1], hidden)
            self.dropout = nn.Dropout()
            self.classifier = nn.Linear(hidden, config.num_labels)

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            mask = attention_mask.unsqueeze(-1).float()
            mean = (self.vectors(input_ids) * mask).sum(1) / mask.sum(1).clamp_min(1)
            return SimpleNamespace(logits=self.classifier(self.dropout(self.hidden(mean).relu())))

    return Student()


class Taught(Objective):
    """The weighted mean of both losses."""

    def __init__(self, teacher: Any, settings: StaticEmbedding) -> None:
        from runner.techniques.training.teacher import Teacher

        self._teacher = Teacher(teacher)
        self._temperature = settings.temperature
        total = settings.soft_weight + settings.hard_weight
        self._soft, self._hard = settings.soft_weight / total, settings.hard_weight / total

    def loss(self, model: Any, batch: dict[str, Any], labels: Any) -> Any:
        """Return it for one batch."""
        own = model(**batch).logits
        taught = self._teacher.answer(batch).logits
        soft = soft_loss(own, taught, self._temperature, labels.is_floating_point())
        return self._soft * soft + self._hard * hard_loss(own, labels)


def write_graph(student: Any, path: Path) -> None:
    """Write the trained student as an ONNX graph of input_ids and attention_mask, int64 [batch, length], to logits."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {name: tensor.numpy() for name, tensor in student.state_dict().items()}
    tokens: list[str | int] = ["batch", "length"]
    nodes = [
        helper.make_node("Gather", ["vectors.weight", "input_ids"], ["vectors"], "look_up"),
        helper.make_node("Cast", ["attention_mask"], ["mask"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"], "unsqueeze"),
        helper.make_node("Mul", ["vectors", "column"], ["kept"], "keep"),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sum"], "sum", keepdims=0),
        helper.make_node("ReduceSum", ["column", "tokens"], ["included"], "count", keepdims=0),
        helper.make_node("Max", ["included", "one"], ["count"], "at_least_one"),
        helper.make_node("Div", ["sum", "count"], ["mean"], "mean"),
        helper.make_node("Gemm", ["mean", "hidden.weight", "hidden.bias"], ["inner"], "hidden", transB=1),
        helper.make_node("Relu", ["inner"], ["active"], "relu"),
        helper.make_node(
            "Gemm", ["active", "classifier.weight", "classifier.bias"], ["logits"], "classifier", transB=1
        ),
    ]
    constants = {"last": np.array([-1]), "tokens": np.array([1]), "one": np.array(1, np.float32)}
    graph = helper.make_graph(
        nodes,
        "static-embedding",
        [helper.make_tensor_value_info(name, TensorProto.INT64, tokens) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", student.config.num_labels])],
        [numpy_helper.from_array(array, name) for name, array in (weights | constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _difference(student: Any, path: Path) -> float:
    """Return the largest difference of logits between the student and its graph, on texts with padding.

    Raises:
        ValueError: if it is more than rounding.
    """
    import onnxruntime
    import torch

    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(len(student.vectors.weight), (3, 33), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, 7:] = 0
    feed = {"input_ids": input_ids.numpy(), "attention_mask": attention_mask.numpy()}
    (exported,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)
    with torch.inference_mode():
        worst = float((student.eval()(input_ids, attention_mask).logits - torch.from_numpy(exported)).abs().max())
    if not worst <= _TOLERANCE:
        raise ValueError(f"the graph's logits are off by {worst:.3g}, more than {_TOLERANCE:g}")
    return worst
