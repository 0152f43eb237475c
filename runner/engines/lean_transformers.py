"""Import transformers without its parts for clusters, object detection and compiling: half of its import time.

No forward pass in eager mode, no export and no training step of Pinbox needs them. While transformers' base modules
are imported, torch.distributed and scipy are hidden. transformers stores that they are missing. The compiler
(torch._dynamo) is replaced by a stand-in whose decorators do nothing, unless an engine that compiles has already
imported it. Afterwards, torch and scipy are restored.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import transformers
from transformers.utils import import_utils

_COMPILER = "torch._dynamo"
_BASE_MODULES = ("transformers.modeling_utils", "transformers.generation.utils")  # each model imports them


def _import_base_modules() -> None:
    with _missing("scipy"), _no_cluster(), nullcontext() if _COMPILER in sys.modules else _no_compiler():
        for is_available in (import_utils.is_torch_distributed_available, import_utils.is_scipy_available):
            is_available.cache_clear()
            is_available()  # transformers stores the answer
        for name in _BASE_MODULES:
            importlib.import_module(name)


@contextmanager
def _missing(name: str) -> Iterator[None]:
    """Hide a package from imports within the context."""
    package = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # Python treats None as a missing module
    try:
        yield
    finally:
        del sys.modules[name]
        if package is not None:
            sys.modules[name] = package


@contextmanager
def _no_cluster() -> Iterator[None]:
    """Let torch.distributed say that it is not available within the context."""
    is_available = torch.distributed.is_available
    torch.distributed.is_available = lambda: False
    try:
        yield
    finally:
        torch.distributed.is_available = is_available


@contextmanager
def _no_compiler() -> Iterator[None]:
    """Replace torch._dynamo by a stand-in within the context. transformers can still import the modules below it."""
    disable = torch.compiler.disable
    sys.modules[_COMPILER] = _Compiler()
    torch.compiler.disable = _decorate  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = disable
        del sys.modules[_COMPILER]
        vars(torch).pop("_dynamo", None)


class _Compiler(ModuleType):
    """A stand-in for torch._dynamo, all of whose functions are decorators that do nothing."""

    def __init__(self) -> None:
        super().__init__(_COMPILER)
        self.__path__ = [str(Path(torch.__file__).parent / "_dynamo")]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _decorate


def _decorate(function: Any = None, *_: Any, **__: Any) -> Any:
    """Return a function unchanged, or a decorator that does so."""
    return _decorate if function is None else function


_import_base_modules()

__all__ = ["transformers"]
