"""What all tests share. Tests marked `docker` skip where no engine answers, unless PINBOX_REQUIRE_DOCKER is set."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from runner.config import schema as config
from runner.errors import UserError
from runner.isolation.docker import DockerBox, connect
from runner.isolation.process import ProcessBox
from tests.browser import browser, open_page
from tests.signal_stack import signal_stack
from tests.workers import FromBothEnds, sort_for_workers

__all__ = ["browser", "open_page", "signal_stack"]

config.register()

# What hypothesis takes for slow is, on a busy machine, only busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background, and what tests start inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: The marks of all tests that use a fixture.
MARKS = {"browser": "browser", "swept": "sweep", "swept_tasks": "sweep"}


def _why_no_docker() -> str | None:
    client = connect()
    if client is None:
        return "no Docker engine answers"
    try:
        DockerBox(client)
    except UserError as error:
        return str(error)
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before `-m` chooses by the marks, and after pytest has sorted the tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Mark what opens a browser or runs a sweep, skip the docker tests without an engine, and sort for the workers."""
    for item in items:
        for fixture in MARKS.keys() & getattr(item, "fixturenames", ()):
            item.add_marker(MARKS[fixture])
    _skip_without_engine(items)
    yield
    if "PYTEST_XDIST_WORKER" in os.environ:
        sort_for_workers(items)


def _skip_without_engine(items: list[pytest.Item]) -> None:
    """Skip the docker tests where no engine answers, or let them fail if they are required."""
    wanted = [item for item in items if item.get_closest_marker("docker")]
    if not wanted or os.environ.get("PINBOX_REQUIRE_DOCKER"):
        return
    reason = _why_no_docker()
    if reason:
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FromBothEnds | None:
    return FromBothEnds(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that sweeps share, those of the other workers included: the first one makes the artifacts."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "store"


@pytest.fixture
def docker_box() -> DockerBox:
    client = connect()
    assert client is not None, "no Docker engine answers, but PINBOX_REQUIRE_DOCKER is set"
    return DockerBox(client)


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def box(request: pytest.FixtureRequest) -> DockerBox | ProcessBox:
    """Each kind of box in turn."""
    if request.param == "process":
        return ProcessBox()
    found: DockerBox = request.getfixturevalue("docker_box")
    return found
