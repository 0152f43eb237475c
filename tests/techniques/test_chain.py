"""Chains with unknown steps, unknown keys, wrong types or formats that do not fit are refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import UserError
from runner.techniques.chain import check_chain, make_chain


def test_a_chain_is_built_from_yaml() -> None:
    steps = make_chain([{"step": "onnx-export", "opset": 18}, {"step": "onnx-dynamic-int8"}], "technique 'x': steps")
    assert [step.name for step in steps] == ["onnx-export", "onnx-dynamic-int8"]
    assert vars(steps[0]) == {"opset": 18, "first_token": False}
    check_chain(steps, "onnx", "technique 'x'")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"step": "onnx-exprot"}, r"steps\[0\]: there is no step 'onnx-exprot'\. Did you mean 'onnx-export'"),
        ({"step": "onnx-export", "opste": 17}, r"step 'onnx-export' has no key 'opste'\. Did you mean 'opset'"),
        ({"step": "onnx-export", "opset": "many"}, r"step 'onnx-export': .*'many'.*Integer"),
        ({"step": "onnx-export", "opset": 99}, r"opset is 99, but must be from 14 to 20"),
        ({"opset": 17}, r"must be a mapping such as \{step"),
        ("onnx-export", r"must be a mapping such as \{step"),
    ],
)
def test_a_bad_step_is_refused(entry: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_chain([entry], "technique 'x': steps")


def test_steps_that_do_not_join_are_refused() -> None:
    steps = make_chain([{"step": "onnx-export"}, {"step": "torchscript"}], "steps")
    with pytest.raises(
        UserError, match="'torchscript' takes checkpoint, but the step before it, 'onnx-export', gives onnx"
    ):
        check_chain(steps, "torchscript", "technique 'x'")


def test_an_engine_of_another_format_is_refused() -> None:
    steps = make_chain([{"step": "onnx-export"}], "steps")
    with pytest.raises(UserError, match="the engine takes torchscript, but the last step, 'onnx-export', gives onnx"):
        check_chain(steps, "torchscript", "technique 'x'")


def test_a_step_may_say_what_can_follow_it() -> None:
    check_chain(make_chain([{"step": "bfloat16"}], "steps"), "checkpoint", "technique 'x'")
    check_chain(make_chain([{"step": "bfloat16"}, {"step": "torchscript"}], "steps"), "torchscript", "technique 'x'")
    steps = make_chain([{"step": "bfloat16"}, {"step": "onnx-export"}], "steps")
    with pytest.raises(UserError, match="'onnx-export' cannot come after 'bfloat16': only torchscript can"):
        check_chain(steps, "onnx", "technique 'x'")


@pytest.mark.parametrize("first", ["onnx-dynamic-int8", "onnx-static-int8"])
@pytest.mark.parametrize("second", ["onnx-fusion", "onnx-weight-only", "onnx-dynamic-int8"])
def test_only_the_embeddings_can_be_changed_after_int8(first: str, second: str) -> None:
    steps = make_chain([{"step": first}, {"step": second}], "steps")
    message = f"'{second}' cannot come after '{first}': only onnx-embedding-blocks can"
    with pytest.raises(UserError, match=message):
        check_chain(steps, "onnx", "technique 'x'")
