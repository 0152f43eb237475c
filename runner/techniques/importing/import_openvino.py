"""Import a model that exists only in OpenVINO's intermediate representation, with the tokenizer beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.models.inputs import INPUTS
from runner.models.openvino_file import read_names
from runner.tasks.texts import read_kind
from runner.techniques.importing.graph_import import EXAMPLES, Fit, GraphImport, Signature
from runner.techniques.openvino.openvino_graphs import import_openvino, save
from runner.techniques.step import StepInputs, step


@step("import-openvino")
@dataclass
class ImportOpenVino(GraphImport):
    """files → openvino: the graph of a classifier or an encoder as it is, with config.json and the tokenizer of its
    folder.

    The graph takes input_ids, attention_mask and, if it has that input, token_type_ids, of any batch size and length.
    The outputs of a classifier are put into the order of the task's labels. Other outputs of the graph are left out.

    Attributes:
        file: the path of the graph in the model's folder. Its weights lie beside it, in a .bin of the same name.
        head: "load" takes the graph's own logits. For a task of vectors, a text's vector is the "mean" of its tokens'
            last hidden states, or the "first" token's.
    """

    gives = "openvino"
    packages = ("openvino",)

    file: str = "openvino_model.xml"
    head: str = "load"

    def read_signature(self, path: Path, where: str) -> Signature:
        """Check the XML, and return the names of the inputs and outputs."""
        return Signature(*read_names(path, where))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write model.xml, model.bin, config.json and tokenizer.json.

        Raises:
            UserError: if the graph cannot be run on batches of any size and length.
        """
        assert inputs.source is not None
        openvino = import_openvino()
        path, fit = inputs.source / self.file, self.fit(inputs.source, inputs.texts, "model")
        signature = self.read_signature(path, "model")
        self.check_inputs(signature, "model")
        name = self.output_of(signature, "model")
        try:
            read = openvino.Core().read_model(path)
            output = next((entry for entry in read.outputs if name in entry.get_names()), read.outputs[0])
            model = self._with_output(read, output.get_node().input_value(0), name, fit)
            save(model, target)
            shapes = self._shapes(target, signature)
        except Exception as error:  # any error of the runtime means that the file is at fault
            raise self.cannot_run(error) from None
        self.check_outputs(shapes, read_kind(inputs.texts), fit)
        return self.write_rest(inputs, target, fit, signature)

    def _with_output(self, model: Any, output: Any, name: str, fit: Fit) -> Any:
        """Return the model with one output: in the order of the labels, or pooled as `Embedder` does it."""
        from openvino import opset13 as ops

        if self.head == "first":
            output = ops.gather(output, ops.constant(0), ops.constant(1)).output(0)
        if self.head == "mean":
            taken = next(node for node in model.get_parameters() if INPUTS[1] in node.output(0).get_names())
            mask = ops.convert(taken, output.get_element_type())
            total = ops.squeeze(ops.matmul(ops.unsqueeze(mask, [1]), output, False, False), [1])
            output = ops.divide(total, ops.reduce_sum(mask, [1], keep_dims=True)).output(0)
        if fit.normalized:
            output = ops.normalize_l2(output, [1], 1e-12, "max").output(0)
        if fit.order:
            output = ops.gather(output, ops.constant(fit.order), ops.constant(-1)).output(0)
        output.get_tensor().set_names({name})
        return import_openvino().Model([ops.result(output)], model.get_parameters(), "model")

    def _shapes(self, folder: Path, signature: Signature) -> list[Any]:
        import numpy as np

        from runner.engines.openvino import Engine

        engine = Engine(folder, 1)
        names = [name for name in INPUTS if name in signature.inputs]
        calls = [engine.prepare(*(np.ones(shape, np.int64) for _ in names)) for shape in EXAMPLES]
        return [engine.logits(engine.run(call)).shape for call in calls]
