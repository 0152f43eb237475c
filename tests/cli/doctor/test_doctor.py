"""The engine, the room, the peaks, and how it all looks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

import docker
from runner.cli.doctor.engine import engine_section, find_box, room_section
from runner.cli.doctor.fact import Fact, Section
from runner.cli.doctor.peaks import peaks_section, thread_counts
from runner.cli.doctor.terminal import print_section
from runner.isolation.process import ProcessBox
from runner.sweep.peaks import Peaks
from tests.machines import show


class FakeClient:
    """An engine without our image."""

    def __init__(self, **info: Any) -> None:
        self._info = info

    def info(self) -> dict[str, Any]:
        return self._info

    def version(self) -> dict[str, Any]:
        return {"Components": [{"Name": "Podman Engine"}]}


def engine(**info: Any) -> docker.DockerClient:
    return cast(docker.DockerClient, FakeClient(**info))


def test_no_engine_is_no_obstacle() -> None:
    assert isinstance(find_box(None), ProcessBox)
    (fact,) = engine_section(None, ProcessBox()).facts
    assert "pinned processes" in fact.value
    assert "docker/engine.sh" in (fact.advice or "")


def test_an_engine_without_the_image_says_what_to_do() -> None:
    client = engine(ServerVersion="29.0", Driver="overlay2", CgroupVersion="2", Warnings=["no swap limit support"])
    facts = engine_section(client, ProcessBox()).facts
    assert facts[0].name == "Podman"
    assert facts[0].value == "29.0, storage overlay2, control groups version 2"
    assert facts[1].value == "no swap limit support"
    assert facts[2].advice == "Build it: make image."


@pytest.mark.docker
def test_a_real_engine_is_described(docker_box: Any) -> None:
    from runner.isolation.docker import connect

    client = connect()
    box = find_box(client)
    assert box.kind == "docker"
    assert not any(fact.advice for fact in engine_section(client, box).facts)


def test_room_is_told(tmp_path: Path) -> None:
    sizes = {"MemTotal": 8 << 20, "MemAvailable": 1 << 20, "SwapTotal": 2 << 20, "SwapFree": 1 << 20}
    show(tmp_path, {"proc/meminfo": "\n".join(f"{name}: {size} kB" for name, size in sizes.items())})
    elsewhere = engine(DockerRootDir="/not/on/this/machine")
    disk, memory = room_section(tmp_path / "not" / "yet", elsewhere, tmp_path).facts
    assert disk.name == "Disk, store"
    assert memory.value == "1.0 GiB free of 8.0 GiB, 1.0 GiB swapped out"
    assert "isolation.memory" in (memory.advice or "")


def test_thread_counts_double_up_to_all_cores() -> None:
    assert thread_counts(1) == [1]
    assert thread_counts(2) == [1, 2]
    assert thread_counts(6) == [1, 2, 4, 6]


def test_peaks_are_told_with_what_cannot_pay() -> None:
    one = Peaks(1, 91e9, 1.3e9, 180e9, 20e9)
    found = peaks_section([one, Peaks(2, error="no memory")], "docker").facts
    assert found[1].value == "float32 91  bfloat16 1.3  int8 180  memory 20 GB/s"
    assert (found[1].advice or "").startswith("bfloat16 is slower than float32")
    assert (found[2].value, found[2].advice) == ("could not be measured", "no memory")


def test_peaks_that_do_not_scale_are_doubted() -> None:
    one = Peaks(1, float32_flops_per_second=90e9)
    found = peaks_section([one, Peaks(2, float32_flops_per_second=99e9), Peaks(4, float32_flops_per_second=300e9)], "x")
    assert [fact.advice is not None for fact in found.facts] == [False, False, True, False]
    assert "Only 1.1× one thread" in (found.facts[2].advice or "")


def test_all_fits_80_columns() -> None:
    out = io.StringIO()
    long = "word " * 40
    print_section(Section("Title", [Fact("Name", long, long)]), Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("→" in line for line in lines)
