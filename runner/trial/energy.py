"""Read the energy of the CPU packages from the RAPL counters, if the machine shows them.

The kernel shows the counters of Intel and AMD in its powercap files, which only root can read and which containers
usually hide (https://docs.kernel.org/power/powercap/powercap.html). A package is the whole chip, so the energy includes
other programs that run on it.
"""

from __future__ import annotations

from pathlib import Path


class EnergyMeter:
    """Add up the counters of all packages. A counter starts again from zero at a maximum, after minutes under load.

    Args:
        root: the folder that holds /sys.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._microjoules = 0
        self._packages = {
            path: _number(path.parent / "max_energy_range_uj")
            for path in sorted(root.glob("sys/class/powercap/intel-rapl:*/energy_uj"))
            if path.parent.name.count(":") == 1  # two colons name a part of a package, which the package includes
        }
        self._last = {path: _number(path) for path in self._packages}

    def joules(self) -> float | None:
        """Return the energy in joules since the meter was made, or None if it is not visible.

        Call it at least once while a counter runs from zero to its maximum.
        """
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
