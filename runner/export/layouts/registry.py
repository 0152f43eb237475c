"""The layouts by their names, in the order in which the command line lists them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from runner.errors import UserError

if TYPE_CHECKING:
    from runner.export.layouts.layout import Layout

PINBOX = "pinbox"
LAYOUTS = {  # the class of each layout, by its name; its module has the name, too, as far as Python allows
    PINBOX: "Pinbox",
    "sentence-transformers": "SentenceTransformers",
    "optimum": "Optimum",
    "tei": "Tei",
    "openvino-model-server": "OpenvinoModelServer",
    "triton": "Triton",
    "transformers.js": "TransformersJs",
    "hub": "Hub",
}


def layout_of(name: str, with_service: bool = False) -> Layout:
    """Return a layout.

    Args:
        name: its name.
        with_service: whether the folder gets a service too; only the layout `pinbox` can have one.

    Raises:
        UserError: if there is no such layout, or if it cannot have a service.
    """
    if name not in LAYOUTS:
        raise UserError(f"--layout is '{name}', but must be one of {', '.join(LAYOUTS)}.")
    if with_service and name != PINBOX:
        raise UserError(
            f"--service writes a service of Pinbox, and the layout '{name}' is for another server. Leave out --service "
            "or --layout."
        )
    module = importlib.import_module(f"runner.export.layouts.{name.translate(_MODULE_NAMES)}")
    made: Layout = getattr(module, LAYOUTS[name])(*([with_service] if name == PINBOX else []))
    return made


_MODULE_NAMES = str.maketrans("-.", "__")
