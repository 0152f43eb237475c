"""Import transformers without its parts for clusters and for object detection, which take half of its import time.

transformers imports these parts if torch.distributed and scipy are there, and it asks for each of them once. No step
and no forward pass needs them.
"""

from __future__ import annotations

import sys

import torch
import transformers
from transformers.utils import import_utils


def _find_neither() -> None:
    """Let transformers ask for torch.distributed and scipy, and find neither. It keeps the answers."""
    is_available, scipy = torch.distributed.is_available, sys.modules.get("scipy")
    torch.distributed.is_available = lambda: False
    sys.modules["scipy"] = None  # type: ignore[assignment]  # Python treats None as a missing module
    try:
        import_utils.is_torch_distributed_available()
        import_utils.is_scipy_available()
    finally:
        torch.distributed.is_available = is_available
        if scipy is None:
            del sys.modules["scipy"]
        else:
            sys.modules["scipy"] = scipy


_find_neither()

__all__ = ["transformers"]
