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
_MODULE_NAMES = str.maketrans("-.", "__")


def layout_of(name: str) -> Layout:
    """Return the layout of this name.

    Raises:
        UserError: if there is none.
    """
    if name not in LAYOUTS:
        raise UserError(f"--layout is '{name}', but must be one of {', '.join(LAYOUTS)}.")
    module = importlib.import_module(f"runner.export.layouts.{name.translate(_MODULE_NAMES)}")
    made: Layout = getattr(module, LAYOUTS[name])()
    return made
