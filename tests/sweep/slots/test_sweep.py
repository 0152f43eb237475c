"""A whole sweep in slots, on a made-up machine and in boxes that only sleep; see command.py."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pandas as pd
import pytest

from tests.patience import PATIENCE_SECONDS, wait_until
from tests.sweep.slots.command import CACHES, start

pytestmark = pytest.mark.sweep

TRIALS = 3 * (3 + 2)  # a round's, and its pair alone
KEYS = ["job", "round", "role"]


def run(place: Path, *arguments: str, behaviour: str = "") -> tuple[int, str]:
    process = start(place, *(arguments or ["slots=auto"]), behaviour=behaviour)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, said


def results(place: Path) -> pd.DataFrame:
    return pd.read_parquet(place / "sweep/results.parquet")


def trials(place: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in place.glob("sweep/trials/*/trial.json")}


def processes(place: Path) -> list[str]:
    """Return the commands that still run of a sweep: the command, its slots and their boxes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(place) in command:
            found.append(command)
    return found


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    place = tmp_path_factory.mktemp("slots")
    code, said = run(place)
    assert code == 0, said
    return place, said


def test_each_round_ran_in_one_slot_on_cores_of_its_cache(swept: tuple[Path, str]) -> None:
    rows = results(swept[0])
    assert len(rows) == TRIALS
    assert set(rows.status) == {"ok"}
    assert (rows.slot == rows["round"] % 2).all()
    assert list(rows.box_cpus.astype(int)) == [CACHES[slot][-1] for slot in rows.slot]
    assert "2 rounds are measured at once" in swept[1]
    assert not list(swept[0].glob("sweep/trials/partner-*"))


def test_the_pairs_alone_had_no_neighbour_and_rounds_had(swept: tuple[Path, str]) -> None:
    rows = results(swept[0])
    alone = rows.role.str.startswith("alone")
    assert alone.sum() == 2 * 3
    assert (rows.beside[alone] == 0).all()
    assert rows.latency_ratio[alone].isna().all()
    assert not rows.included[alone].any()
    assert (rows.beside[~alone] == 1).any()
    assert rows.latency_ratio[~alone].notna().all()
    assert rows.included[~alone].all()


def test_the_report_says_what_it_costs(swept: tuple[Path, str]) -> None:
    baseline = pd.read_parquet(swept[0] / "sweep/summary.parquet").set_index("technique").loc["torch-eager"]
    assert baseline.beside_ratio == pytest.approx(1.05, abs=0.02)
    assert baseline.noise_floor_alone > 1
    report = (swept[0] / "sweep/report.md").read_text()
    assert "2 boxes at once: noise floor " in report
    assert "| At once | up to 2 rounds, each on a last-level cache of its own |" in report
    assert json.loads((swept[0] / "sweep/manifest.json").read_text())["slots"] == 2


def test_what_is_missing_is_measured_in_the_slot_of_its_round(swept: tuple[Path, str]) -> None:
    place, before = swept[0], trials(swept[0])
    (gone,) = place.glob("sweep/trials/*onnx*-r1-variant/trial.json")
    gone.unlink()
    code, said = run(place)
    assert (code, "14 of them done before" in said) == (0, True), said
    after = trials(place)
    assert [name for name in after if after[name] != before[name]] == [gone.parent.name]
    assert json.loads(gone.read_text())["slot"] == 1


def test_another_number_of_slots_is_not_mixed_in(swept: tuple[Path, str]) -> None:
    code, said = run(swept[0], "slots=1")
    assert (code, "slots was 2 and is now 1" in said) == (2, True), said


def test_more_slots_than_caches_are_refused_before_anything_starts(tmp_path: Path) -> None:
    code, said = run(tmp_path, "slots=3")
    assert (code, "slots is 3, but each slot needs its own last-level cache" in said) == (2, True), said
    assert "Give 1 to 2, or auto." in said
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_interrupted_it_leaves_nothing_and_goes_on(tmp_path: Path, number: signal.Signals, expected: int) -> None:
    process = start(tmp_path, "slots=2", behaviour="hang")
    begun = "sweep/trials/*baseline-first/trial.json"
    wait_until(lambda: list(tmp_path.glob(begun)) or process.poll() is not None, "a trial")
    assert process.poll() is None
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == expected, said
    wait_until(lambda: not processes(tmp_path), "the end of all processes")
    kept = trials(tmp_path)
    assert 0 < len(kept) < TRIALS
    code, said = run(tmp_path, "slots=2")
    assert code == 0, said
    assert f"{len(kept)} of them done before" in said
    assert kept.items() <= trials(tmp_path).items(), "what was measured is not measured again"
    rows = results(tmp_path)
    assert len(rows) == len(rows[KEYS].drop_duplicates()) == TRIALS
    assert not list(tmp_path.glob("sweep/trials/partner-*"))


def test_a_full_disk_stops_all_slots_and_the_same_command_goes_on(tmp_path: Path) -> None:
    code, said = run(tmp_path, behaviour="full")
    assert (code, "Nothing more can be written" in said) == (2, True), said
    assert "Traceback" not in said
    assert processes(tmp_path) == []
    assert not [name for name in trials(tmp_path) if "variant" in name]
    assert run(tmp_path)[0] == 0
    assert set(results(tmp_path).status) == {"ok"}


def test_failed_trials_are_rows_and_run_again_when_asked(tmp_path: Path) -> None:
    code, said = run(tmp_path, behaviour="fail")
    assert code == 1, said
    assert list(results(tmp_path).status).count("crashed") == 3
    assert said.count("it broke") >= 3
    assert run(tmp_path, "slots=auto", "hydra.sweeper.retry=failed")[0] == 0
    assert set(results(tmp_path).status) == {"ok"}
