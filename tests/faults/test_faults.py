"""Some of the faults of `python -m tests.faults`, in a real sweep; the others are for when there is time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.recovery import Recovery
from tests.faults.sweeps import ROOT, SmallSweep, filled
from tests.faults.table import FAULTS

pytestmark = pytest.mark.sweep

IN_PROCESSES = ("killed during a trial", "engine crashes")
IN_CONTAINERS = ("container killed, in Docker", "out of memory in a child, in Docker")


@pytest.fixture(scope="module")
def recovery(tmp_path_factory: pytest.TempPathFactory) -> Recovery:
    return Recovery(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", [*IN_PROCESSES, *(pytest.param(n, marks=pytest.mark.docker) for n in IN_CONTAINERS)])
def test_nothing_is_lost_doubled_done_again_or_left(name: str, recovery: Recovery, tmp_path: Path) -> None:
    fault = FAULTS[name]
    sweep = filled(SmallSweep(tmp_path / "sweep", tmp_path / "store", fault.kind), recovery.store(), fault.without)
    fault.cause(sweep)
    assert sweep.codes != [0], "the fault must be seen"
    assert recovery.check(name, sweep).wrong is None


def test_the_documentation_counts_them() -> None:
    page = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    assert f"causes {len(FAULTS)} such faults" in " ".join(page.split())
