"""What a process that is killed outright leaves, caused with SIGKILL: locks, workplaces, boxes; and broken files."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import MachineError, UserError, storage_error
from runner.isolation import exclusive
from runner.machine import topology
from runner.store.artifacts import Store
from runner.store.recovery import clean_partial_files, clear_failed
from runner.store.sweep_folder import SweepFolder
from tests.patience import PATIENCE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def another(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run code in another process up to its first line of output; kill it in the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.first = process.stdout.readline().strip()  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            process.kill()


SWEEPS = """
import sys, time; from pathlib import Path; from runner.isolation import exclusive
from runner.store.sweep_folder import SweepFolder
exclusive.CORES = Path(sys.argv[1])
with exclusive.lock_sweep(SweepFolder(Path(sys.argv[1]))), exclusive.lock_cores([0], Path("outputs/other")):
    print("in", flush=True); time.sleep(3600)
"""


def test_a_second_sweep_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    with another(SWEEPS, tmp_path) as first:
        with (
            pytest.raises(UserError, match=rf"process {first.pid}\) runs in"),
            exclusive.lock_sweep(SweepFolder(tmp_path)),
        ):
            pass
        first.kill()
        first.wait()
        with exclusive.lock_sweep(SweepFolder(tmp_path)):
            pass


def test_a_core_is_waited_for_by_name_and_given_back_by_the_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(exclusive, "CORES", tmp_path)
    with another(SWEEPS, tmp_path) as first:

        def say(line: str) -> None:
            said.append(line)
            first.kill()

        monkeypatch.setattr(exclusive, "say", say)
        with exclusive.lock_cores([0], tmp_path):
            pass
    expected = f"Core 0 is used by another sweep (outputs/other, process {first.pid}). Both sweeps take turns on it."
    assert said == [expected]


def test_a_core_that_is_locked_again_and_again_is_had_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import sys, time; from pathlib import Path; from runner.isolation import exclusive
exclusive.CORES = Path(sys.argv[1]); exclusive.say = lambda line: None
print("in", flush=True)
while True:
    with exclusive.lock_cores([0], Path("outputs/other")): time.sleep(0.3)
"""
    monkeypatch.setattr(exclusive, "CORES", tmp_path)
    monkeypatch.setattr(exclusive, "say", lambda line: None)

    def lock_thrice() -> None:
        for _ in range(3):
            with exclusive.lock_cores([0], tmp_path):
                pass

    with another(code, tmp_path):
        waiting = threading.Thread(target=lock_thrice, daemon=True)
        waiting.start()
        waiting.join(PATIENCE_SECONDS)
        assert not waiting.is_alive()


def test_workplaces_of_the_dead_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    code = """
import sys, time; from pathlib import Path; from runner.store.artifacts import Store
with Store(Path(sys.argv[1])).staging_dir() as folder:
    print(folder, flush=True); time.sleep(3600)
"""
    with another(code, tmp_path) as maker:
        Store(tmp_path).remove_stale_staging_dirs()
        (staging_dir,) = (tmp_path / "work").iterdir()
        maker.kill()
        maker.wait()
        assert staging_dir.exists()
        Store(tmp_path).remove_stale_staging_dirs()
        assert not staging_dir.exists()


def test_a_process_box_dies_with_its_runner(tmp_path: Path) -> None:
    code = """
import sys; from pathlib import Path; from runner.isolation import process; from runner.isolation.box import BoxOrder
process.CODE = Path("tests/isolation/probe/runner").absolute()
process.environment = lambda threads: {"PYTHONUNBUFFERED": "1"}
print("go", flush=True)
process.ProcessBox().run(BoxOrder("runner.probe", {"action": "hang"}, {}, Path(sys.argv[1]), [0]))
"""
    with another(code, tmp_path) as runner:
        log = tmp_path / "log.txt"
        wait_until(lambda: "sleep" in (log.read_text() if log.exists() else ""), "the probe")
        (box,) = map(int, Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split())
        os.kill(runner.pid, signal.SIGKILL)
        wait_until(lambda: _is_gone(box), "the end of the box")


def _is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def test_an_artifact_with_one_byte_changed_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.staging_dir() as folder:
        (folder / "files").mkdir()
        (folder / "files" / "model").write_bytes(b"weights")
        made = store.put({"a": 1}, folder / "files", "onnx", [])
    assert store.find({"a": 1}) == made
    (made.path / "model").write_bytes(b"weightz")
    assert store.find({"a": 1}) is None


def test_truncated_notes_count_as_missing_and_whole_ones_stay(tmp_path: Path) -> None:
    whole, cut = tmp_path / "trials/a/trial.json", tmp_path / "trials/b/trial.json"
    note, predictions = tmp_path / "prepared/j/prepared.json", tmp_path / "predictions/j.json"
    for path in (whole, cut, note, predictions):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"status": "ok", "figures": [1, 2]}))
    for path in (cut, predictions):
        path.write_text(path.read_text()[:-3])
    assert clean_partial_files(SweepFolder(tmp_path)) == [
        "predictions/j.json",
        "prepared/j/prepared.json",
        "trials/b/trial.json",
    ]
    assert whole.exists()
    cut.write_text("{")
    clear_failed(SweepFolder(tmp_path))
    assert (whole.exists(), cut.exists()) == (True, False)


def test_a_full_disk_is_the_machine_s_fault(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as full:
        Path("/dev/full").write_text("x")
    assert full.value.errno == errno.ENOSPC
    assert isinstance(storage_error(full.value), MachineError)
    assert storage_error(FileNotFoundError(errno.ENOENT, "gone")) is None


def test_a_core_that_went_away_stops_the_sweep_instead_of_measuring_on_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "physical_cores", lambda: [3])
    assert topology.choose_cpus(1) == [3]
    with pytest.raises(MachineError, match="needs 2 physical cores, but only 1 may be used"):
        topology.choose_cpus(2)
