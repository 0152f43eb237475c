"""Engines other than an ordinary Docker are named, or refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

import docker
from runner.errors import MachineError
from runner.isolation.docker import DockerBox, engine_name


class FakeEngine:
    def __init__(self, component: str, *options: str) -> None:
        self._component, self._options = component, options

    def version(self) -> dict[str, Any]:
        return {"Version": "4.3.1", "Components": [{"Name": self._component}]}

    def info(self) -> dict[str, Any]:
        return {"SecurityOptions": list(self._options)}


def engine(component: str, *options: str) -> docker.DockerClient:
    return cast(docker.DockerClient, FakeEngine(component, *options))


def test_podman_is_known_by_its_name() -> None:
    assert engine_name(engine("Podman Engine")) == "Podman"
    assert engine_name(engine("Engine")) == "Docker"


def test_an_engine_without_root_is_refused() -> None:
    with pytest.raises(MachineError, match=r"runs without root.*isolation=process"):
        DockerBox(engine("Podman Engine", "name=seccomp,profile=default", "name=rootless"))
