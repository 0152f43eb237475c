"""Check the other files in a model's folder. A file that changes what the model predicts is refused or named."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques.importing.labels import listed

_MERGE = (
    "Merge it into its base model first: merge_and_unload of peft, then save_pretrained, with the tokenizer beside it."
)
_REFUSED = {  # by file: what it is, and what to do
    "adapter_config.json": ("an adapter (LoRA or the like), which is not applied here", _MERGE),
    "adapter_model.*": ("an adapter (LoRA or the like), which is not applied here", _MERGE),
    "adapters/*": ("an adapter, which is not applied here", _MERGE),
    "config_setfit.json": (
        "a SetFit model, whose head is a pickle of scikit-learn",
        "Train a head on its encoder: model.steps=[{step: import-checkpoint, head: new}, {step: fine-tune}], in a copy "
        "of the folder without the files of SetFit.",
    ),
}
_USED = (
    *("config.json", "model.safetensors", "model-*-of-*.safetensors", "model.safetensors.index.json"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model"),
    *("chat_template*", "*.tiktoken", "*bpe.codes"),
)
_OF_VECTORS = (
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "*_Pooling/config.json"),
    "*_Normalize/*",
)
_HARMLESS = (  # the same weights in other formats, what training leaves behind, and what people read
    *("pytorch_model*.bin", "pytorch_model*.json", "tf_model*.h5", "flax_model*.msgpack", "rust_model.ot"),
    *("*.onnx", "*.onnx_data", "onnx/*", "openvino/*", "openvino_model*", "coreml/*", "*.tflite", "*.gguf"),
    *("optimizer.*", "scheduler.*", "scaler.*", "rng_state*", "trainer_state.json", "training_args*", "global_step*"),
    *("latest", "zero_to_fp32.py", "*_results.json", "*_results.txt", "events.out.*", "runs/*", "logs/*", "eval/*"),
    *("generation_config.json", "*.md", "*.png", "*.jpg", "*.svg", "*.pdf", "*.log", "license*", "notice*"),
    *(".*", "*/.*", "similarity_evaluation*", "*__pycache__*"),
)
_EXPORTED = ("checkpoint.py", "measurements.json", "predict.py", "requirements.txt", "settings.json")  # by Pinbox


def check_folder(files: Path, config: Mapping[str, Any], vectors: bool, where: str) -> list[str]:
    """Refuse a folder with files that would change the predictions, and return the files that Pinbox does not use.

    Args:
        files: the model's folder.
        config: the content of config.json.
        vectors: whether vectors are made as sentence-transformers makes them; see
            `runner.techniques.importing.sentence_vectors`.
        where: the model's name in errors.

    Raises:
        UserError: for an adapter, a SetFit model or quantized weights.
    """
    if config.get("quantization_config") is not None:
        method = dict(config["quantization_config"]).get("quant_method", "unknown")
        raise UserError(
            f"{where}: config.json: quantization_config says that the weights are quantized already ({method}), but "
            "Pinbox reads only weights that are not. Take the model from before its quantization."
        )
    names = sorted(path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file())
    for name in names:
        for pattern, (what, advice) in _REFUSED.items():
            if fnmatch(name, pattern):
                raise UserError(
                    f"{where}: {name} belongs to {what}: the results would be those of another model. {advice}"
                )
    known = (*_USED, *_HARMLESS, *(_OF_VECTORS if vectors else ()), *(_EXPORTED if set(_EXPORTED) <= {*names} else ()))
    return [name for name in names if not any(fnmatch(name.lower(), pattern.lower()) for pattern in known)]


def remark_on(unused: list[str]) -> list[str]:
    """Return a sentence that names the unused files; nothing if there are none."""
    return [f"not used, though it may matter: {listed(unused)}."] if unused else []
