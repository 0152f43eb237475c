"""The energy that the CPU packages took, where the machine shows it: RAPL through the kernel's powercap files.

https://docs.kernel.org/power/powercap/powercap.html; AMD's counters appear under the same names. A package is the whole
chip, so whatever else runs on it is counted too. The kernel lets only root read them, and containers usually hide them.
"""

from __future__ import annotations

from pathlib import Path


class EnergyMeter:
    """Adds up the packages' counters, which start again from zero at a maximum (after minutes under load).

    Args:
        root: where /sys is.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._microjoules = 0
        self._packages = {
            path: _number(path.parent / "max_energy_range_uj")
            for path in sorted(root.glob("sys/class/powercap/intel-rapl:*/energy_uj"))
            if path.parent.name.count(":") == 1  # two colons: a part of a package, counted with it
        }
        self._last = {path: _number(path) for path in self._packages}

    def joules(self) -> float | None:
        """Return the energy in joules since the meter was made, None where it is not visible; call it often enough."""
        if not self._packages:
            return None
        for path, maximum in self._packages.items():
            now, before = _number(path), self._last[path]
            if now is None or before is None or (now < before and maximum is None):
                return None
            self._microjoules += now - before if now >= before else now - before + (maximum or 0)
            self._last[path] = now
        return self._microjoules / 1e6


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
