"""The files that make an artifact are found, so that changed code never uses an old artifact."""

from __future__ import annotations

import sys

import pytest

from runner.config.paths import CODE
from runner.engines.engine import FORMATS, import_engine
from runner.store.source_code import source_files
from runner.techniques.step import Step, step_class, step_modules


def names(engine: str) -> list[str]:
    return [path.stem for path in source_files([CODE / "engines" / f"{engine}.py"], ("engines",))]


def test_what_an_engine_imports_from_its_room_is_its_own() -> None:
    assert names("onnxruntime") == ["engine", "onnxruntime"]
    assert names("torchscript") == ["engine", "pytorch", "torchscript"]
    torch_compile = ["checkpoint", "engine", "lean_transformers", "pytorch", "torch", "torch_compile"]
    assert names("torch_compile") == torch_compile


@pytest.mark.parametrize("engine", FORMATS)
def test_no_module_that_an_engine_loads_is_missing(engine: str) -> None:
    import_engine(engine)
    module = sys.modules[f"runner.engines.{engine}"]
    bases = {base.__module__.rpartition(".")[2] for base in module.Engine.__mro__[:-1]}
    assert bases <= {*names(engine)}


@pytest.mark.parametrize("name", step_modules())
def test_no_module_that_a_step_is_derived_from_is_missing(name: str) -> None:
    cls = step_class(name, "here")
    assert issubclass(cls, Step)
    files = source_files([CODE.parent.joinpath(*step_modules()[name].split(".")).with_suffix(".py")], ("techniques",))
    for base in cls.__mro__:
        if base.__module__.startswith("runner."):
            assert CODE.parent.joinpath(*base.__module__.split(".")).with_suffix(".py") in files
