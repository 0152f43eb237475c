"""Write the settings that predict.py reads, and the packages that it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.paths import MAKE
from runner.config.task_kinds import MULTI_LABEL, THRESHOLD
from runner.errors import UserError
from runner.export.sources import Sources
from runner.export.variant import Variant
from runner.results.tables import Row

_PACKAGES = {  # of each engine, in addition to those for tokenizing
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "llamacpp": ("xllamacpp",),
    "torchscript": ("torch",),
    "aot_inductor": ("torch",),
    "torch": ("torch", "transformers", "safetensors"),
    "torch_compile": ("torch", "transformers", "safetensors"),
}
_CPU_BUILDS = "--extra-index-url https://download.pytorch.org/whl/cpu"  # PyPI has only builds for GPUs


def predict_settings(variant: Variant, sources: Sources) -> dict[str, Any]:
    """Return settings.json: how texts became calls when the variant was measured, and how outputs were evaluated."""
    row = variant.row
    evaluated: dict[str, Any] = {"labels": variant.labels} if variant.labels else {}
    evaluated |= {"threshold": THRESHOLD} if variant.kind == MULTI_LABEL else {}
    return evaluated | {
        "threads": row["threads"],
        "inputs": sources.inputs,
        "batch_size": row["batch_size"],
        "max_length": row["max_length"],
        "pad_to_multiple_of": _multiple(row),
        "pad_token_id": sources.pad_token_id,
    }


def requirements(variant: Variant, environment: Mapping[str, Any], server: Sequence[str] = ()) -> str:
    """Return requirements.txt: the engine's packages in the versions that were measured.

    Args:
        variant: the variant; its trial recorded the version of the engine.
        environment: the environment in manifest.json. The image has the same versions, since one lock file made both.
        server: the lines for the packages of the server, if there is one.

    Raises:
        UserError: if a version was not recorded, or is not a version.
    """
    ran = json.loads(variant.trial["box_engine"] or "{}")
    versions = {**(environment.get("versions") or {}), **ran}
    lines = []
    for name in sorted({*_PACKAGES[variant.engine], "numpy", "tokenizers"}):
        if not versions.get(name):
            raise UserError(
                f"The sweep does not record which version of {name} ran in {variant.row['job']}: it is from an older "
                f"Pinbox. Run its grid again with {MAKE} sweep."
            )
        version = str(versions[name]).partition("-")[0]  # openvino's version ends with a hyphen and a build number
        if not re.fullmatch(r"\w[\w.+]*", version):  # a line break would add a line, which could name a package index
            raise UserError(f"The sweep says that {name} {version!r:.60} ran, which is not a version: it was changed.")
        lines.append(f"{name}=={version}")
    lines = sorted([*lines, *server])
    if any(line.endswith("+cpu") for line in lines):
        lines.insert(0, _CPU_BUILDS)
    return "\n".join(lines) + "\n"


def _multiple(row: Row) -> int:
    """Return the number to a multiple of which texts are padded, before they are cut at max_length."""
    if row["padding"] == "bucketed" and row["bucket"] is None:
        raise UserError(
            f"The sweep does not record the bucket of {row['job']}: it is from an older Pinbox. Run its grid again "
            f"with {MAKE} sweep."
        )
    multiples: dict[str, int] = {"longest": 1, "max_length": row["max_length"], "bucketed": row["bucket"]}
    return multiples[row["padding"]]
