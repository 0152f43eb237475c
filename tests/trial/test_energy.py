"""Energy counters, on made-up machines."""

from __future__ import annotations

from pathlib import Path

from runner.trial.energy import EnergyMeter


def show(root: Path, name: str, microjoules: int, maximum: int = 10_000_000) -> None:
    folder = root / "sys/class/powercap" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{maximum}\n")


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        show(tmp_path, name, 1_000_000)
    meter = EnergyMeter(tmp_path)
    assert meter.joules() == 0.0
    show(tmp_path, "intel-rapl:0", 1_500_000)
    show(tmp_path, "intel-rapl:1", 3_000_000)
    show(tmp_path, "intel-rapl:0:0", 9_000_000)
    assert meter.joules() == 2.5
    assert meter.joules() == 2.5


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    show(tmp_path, "intel-rapl:0", 9_000_000)
    meter = EnergyMeter(tmp_path)
    show(tmp_path, "intel-rapl:0", 500_000)
    assert meter.joules() == 1.5
    show(tmp_path, "intel-rapl:0", 700_000)
    assert meter.joules() == 1.7


def test_an_invisible_counter_is_none(tmp_path: Path) -> None:
    assert EnergyMeter(tmp_path).joules() is None
    (tmp_path / "sys/class/powercap/intel-rapl:0").mkdir(parents=True)
    assert EnergyMeter(tmp_path).joules() is None
    (tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj").mkdir()  # there, but cannot be read
    assert EnergyMeter(tmp_path).joules() is None


def test_a_counter_that_starts_again_at_an_unknown_maximum_is_none(tmp_path: Path) -> None:
    show(tmp_path, "intel-rapl:0", 9_000_000)
    (tmp_path / "sys/class/powercap/intel-rapl:0/max_energy_range_uj").unlink()
    meter = EnergyMeter(tmp_path)
    assert meter.joules() == 0.0
    show(tmp_path, "intel-rapl:0", 500_000)
    (tmp_path / "sys/class/powercap/intel-rapl:0/max_energy_range_uj").unlink()
    assert EnergyMeter(tmp_path).joules() == 0.0
    assert meter.joules() is None
