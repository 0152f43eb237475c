"""The layout `openvino-model-server`: a model repository of OpenVINO Model Server, with its config.json.

Each version of a model has a folder with a number as its name
(https://docs.openvino.ai/2026/model-server/ovms_docs_models_repository.html).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runner.export.layouts.layout import Handover, check_engine, code, write_json
from runner.export.layouts.needs import needs
from runner.report.markdown import escape
from runner.results.format import pluralize


class OpenvinoModelServer:
    """See the module."""

    name: ClassVar[str] = "openvino-model-server"
    loaded_by: ClassVar[str] = "OpenVINO Model Server"

    def check(self, handover: Handover) -> None:
        """Check the engine. The server takes tensors, so it can hold any task."""
        check_engine(self, handover, "openvino")

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model byte for byte as version 1, the server's config, and the tokenizer for its clients."""
        version = folder / handover.slug / "1"
        version.mkdir(parents=True)
        for name in ("model.xml", "model.bin"):
            shutil.copyfile(handover.sources.artifact / name, version / name)
        shutil.copyfile(handover.sources.tokenizer, folder / "tokenizer.json")
        threads = handover.variant.row["threads"] * handover.workers
        properties = {
            "NUM_STREAMS": str(handover.workers),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        model = {
            "name": handover.slug,
            "base_path": f"/models/{handover.slug}",
            "target_device": "CPU",
            "nireq": handover.workers,
            "plugin_config": properties,
        }
        write_json(folder / "config.json", {"model_config_list": [{"config": model}]})

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield how to start the server, and what a client sends."""
        yield code(
            "docker run --rm -v $PWD:/models:ro -p 8000:8000 openvino/model_server \\\n"
            "  --config_path /models/config.json --rest_port 8000\n"
            f"curl http://127.0.0.1:8000/v2/models/{handover.slug}/ready"
        )
        yield escape(
            f"The server takes token ids, not texts: a client makes them with tokenizer.json, and cuts a text at "
            f"{handover.settings['max_length']} tokens. It has {pluralize(handover.workers, 'stream')} with "
            f"{pluralize(handover.variant.row['threads'], 'thread')} each, as many as workers were measured. It does "
            "not put the requests of several clients into one batch, even if this was measured."
        )
        yield needs(handover)
