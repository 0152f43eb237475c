"""Two of the faults of `make faults`, in a real sweep; the others are for when there is time."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.table import Table

from tests.faults.__main__ import row
from tests.faults.sweeps import TRIALS, SmallSweep
from tests.faults.table import FAULTS


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SmallSweep:
    place = tmp_path_factory.mktemp("faults")
    sweep = SmallSweep(place / "undisturbed", place / "store")
    sweep.run()
    assert sweep.codes == [0], sweep.said
    assert len(sweep.trials()) == TRIALS
    return sweep


@pytest.mark.parametrize("name", ["killed during a trial", "engine crashes"])
def test_nothing_is_lost_doubled_or_done_again(name: str, undisturbed: SmallSweep, tmp_path: Path) -> None:
    sweep = SmallSweep(tmp_path / "sweep", undisturbed.store)
    FAULTS[name](sweep)
    assert sweep.codes != [0], "the fault must be seen"
    table = Table("Fault", "Exit codes", "Kept", "Lost", "Doubled", "What the user reads")
    assert not row(table, name, sweep, undisturbed), sweep.said
