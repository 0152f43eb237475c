"""plan.json is read as it was written, and says what a trial stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.errors import UserError
from runner.results.records.plan import Role, TrialSpec, current_plan, read_plan, write_plan
from runner.store.sweep_folder import SweepFolder
from tests.sweep.plans import a_plan

FIRST = TrialSpec("a", 0, 0, Role.baseline_first, "a")
VARIANT = TrialSpec("b", 0, 1, Role.variant, "a")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder, plan = SweepFolder(tmp_path), a_plan([FIRST, VARIANT])
    plan = replace(plan, measure={"limits": {"steal_fraction": float("inf")}}, overrides=["model.name='🦆'"])
    write_plan(folder, plan)
    assert read_plan(folder) == plan


def test_a_trial_is_found_by_its_name() -> None:
    plan = a_plan([FIRST, VARIANT])
    assert plan.trial("b-r0-variant") == VARIANT
    assert plan.trial(FIRST.name) == FIRST
    assert (VARIANT.block, VARIANT.unit) == ("a", "a-r0")
    assert TrialSpec("c", 2, 0, Role.variant, None).unit == "c-r2"
    with pytest.raises(UserError, match=r"plan\.json has no trial of that name"):
        plan.trial("b-r1-variant")


def test_a_plan_with_other_trials_finds_them() -> None:
    plan = a_plan([FIRST])
    assert plan.place_of == {FIRST.name: 0}
    assert replace(plan, trials=[VARIANT]).place_of == {VARIANT.name: 0}


def test_the_current_plan_is_read_once_until_it_changes(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    write_plan(folder, a_plan([FIRST]))
    assert current_plan(folder) is current_plan(folder)
    write_plan(folder, a_plan([FIRST, VARIANT]))
    assert current_plan(folder).trials == [FIRST, VARIANT]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a plan of schema"),
        ('{"schema": 9}', "is not a plan of schema"),
        ('{"schema": NaN}', "is not a plan of schema"),
    ],
)
def test_what_is_no_plan_is_refused(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_plan(SweepFolder(tmp_path))
    (tmp_path / "plan.json").unlink()
    with pytest.raises(UserError, match="does not exist"):
        read_plan(SweepFolder(tmp_path))
