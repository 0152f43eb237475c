"""Which files an engine is made of: changed code must never meet what it once judged."""

from __future__ import annotations

import sys

import pytest

from runner.engines import FORMATS, import_engine, source_files


def names(engine: str) -> list[str]:
    return [path.stem for path in source_files(engine)]


def test_what_an_engine_imports_from_here_is_its_own() -> None:
    assert names("onnxruntime") == ["__init__", "onnxruntime"]
    assert names("torchscript") == ["__init__", "pytorch", "torchscript"]
    assert names("torch_compile") == ["__init__", "checkpoint", "pytorch", "torch", "torch_compile"]


@pytest.mark.parametrize("engine", FORMATS)
def test_no_module_that_an_engine_loads_is_missing(engine: str) -> None:
    import_engine(engine)
    module = sys.modules[f"runner.engines.{engine}"]
    bases = {base.__module__.rpartition(".")[2] for base in module.Engine.__mro__[:-1]}
    assert bases <= {*names(engine)}
