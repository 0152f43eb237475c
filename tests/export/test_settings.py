"""What predict.py needs, from a sweep that somebody else may have written."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from runner.errors import UserError
from runner.export.settings import requirements

ENVIRONMENT = {"versions": {"numpy": "2.3.1", "tokenizers": "0.22.1"}}


def _variant(version: str) -> Any:
    trial = {"box_engine": json.dumps({"openvino": version})}
    return SimpleNamespace(engine="openvino", trial=trial, row={"job": "a-job"})


def test_a_build_number_is_left_out() -> None:
    lines = requirements(_variant("2026.4.1-21000-abc-releases/2026/4"), ENVIRONMENT).splitlines()
    assert lines == ["numpy==2.3.1", "openvino==2026.4.1", "tokenizers==0.22.1"]


def test_the_packages_of_a_server_are_among_them() -> None:
    lines = requirements(_variant("2026.4.1"), ENVIRONMENT, ("uvicorn==0.54.0", "httptools==0.9.0")).splitlines()
    assert lines == [
        "httptools==0.9.0",
        "numpy==2.3.1",
        "openvino==2026.4.1",
        "tokenizers==0.22.1",
        "uvicorn==0.54.0",
    ]


@pytest.mark.parametrize("version", ["1.0\n--index-url http://example.invalid", "1 @ http://example.invalid/x", "\n"])
def test_what_is_no_version_is_not_written(version: str) -> None:
    with pytest.raises(UserError, match="which is not a version"):
        requirements(_variant(version), ENVIRONMENT)
