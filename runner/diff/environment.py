"""What differs around the jobs: the machine, the image, the code, the libraries, the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.results.format import UNKNOWN, short_id
from runner.results.tables import Tables

_HASHES = ("image", "base image", "lock file")
_CPU = ("CPU model", "instruction sets")
#: Differences that do not count as other software; the rows of the jobs name the user's code that they ran.
_NOT_SOFTWARE = (*_CPU, "cores", "logical CPUs", "memory (bytes)", "kernel", "code of one's own", "quality margin")


@dataclass(frozen=True)
class Difference:
    """A fact that differs between A and B; an empty text means that it is not known."""

    name: str
    a: str
    b: str

    @property
    def shown(self) -> tuple[str, str]:
        """Return both texts for people, with shortened hashes."""
        a, b = (short_id(text) if self.name in _HASHES else text or UNKNOWN for text in (self.a, self.b))
        return a, b


def differences(a: Tables, b: Tables) -> list[Difference]:
    """Return what differs between the environments of two sweeps, the CPU first.

    A library is compared only if both sides name it: a sweep names the versions of the engines that it ran.
    """
    of_a, of_b = _facts(a), _facts(b)
    differing = [
        Difference(name, of_a.get(name, ""), of_b.get(name, ""))
        for name in dict.fromkeys([*of_a, *of_b])
        if of_a.get(name, "") != of_b.get(name, "")
    ]
    versions_a, versions_b = _versions(a), _versions(b)
    return differing + [
        Difference(name, version, versions_b[name])
        for name, version in versions_a.items()
        if versions_b.get(name, version) != version
    ]


def same_cpu(differing: list[Difference]) -> bool:
    """Return whether both sweeps ran on the same CPU model with the same instruction sets, as far as is known."""
    return not any(difference.name in _CPU and difference.a and difference.b for difference in differing)


def same_software(a: Tables, differing: list[Difference]) -> bool:
    """Return whether both sweeps ran the same code and libraries under the same settings, as far as is recorded.

    An image that is rebuilt from the same lock file on the same base image has another id: Docker stamps the time.

    Args:
        a: one of the sweeps.
        differing: their differences.
    """
    others = {difference.name for difference in differing} - {*_NOT_SOFTWARE}
    is_rebuilt = others == {"image"} and bool((a.manifest.get("environment") or {}).get("base_id"))
    return not others or is_rebuilt


def warnings(differing: list[Difference]) -> list[str]:
    """Return what a reader must know first."""
    lines = []
    if not same_cpu(differing):
        cpus = "; ".join(
            f"{difference.name} {difference.a} → {difference.b}" for difference in differing if difference.name in _CPU
        )
        lines.append(
            f"Different CPUs: {cpus}. Times are not evaluated, only latency against each side's own baseline, memory, "
            "disk and accuracy."
        )
    for difference in differing:
        if difference.name == "isolation":
            lines.append(
                f"Different boxes: isolation {difference.a} → {difference.b}. Jobs of different boxes are not compared."
            )
    return lines


def _facts(tables: Tables) -> dict[str, str]:
    manifest = tables.manifest
    machine: Mapping[str, Any] = manifest.get("environment") or {}
    measure = {f"measure.{key}": value for key, value in sorted((manifest.get("measure") or {}).items())}
    known = {
        "CPU model": machine.get("cpu_model") or _seen(tables, "box_cpu_model"),
        "instruction sets": _seen(tables, "box_instruction_sets"),
        "cores": machine.get("cores"),
        "logical CPUs": machine.get("logical_cpus"),
        "memory (bytes)": machine.get("memory_bytes"),
        "kernel": machine.get("kernel") or _seen(tables, "box_kernel"),
        "isolation": manifest.get("isolation"),
        "memory limit (bytes)": _seen(tables, "box_memory_limit_bytes"),
        "image": machine.get("image_id"),
        "base image": machine.get("base_id"),
        "lock file": machine.get("lock_sha256"),
        "code version": machine.get("code_version"),
        "code of one's own": _seen(tables, "plugins"),
        "results schema": manifest.get("schema"),
        "seed": manifest.get("seed"),
        "quality margin": (manifest.get("quality") or {}).get("margin"),
        "slots": manifest.get("slots") or 1,
    }
    return {name: "" if value is None else str(value) for name, value in (known | measure).items()}


def _versions(tables: Tables) -> dict[str, str]:
    """Return the libraries of the host, and those inside the boxes: Python, and what the engines named."""
    machine: Mapping[str, Any] = tables.manifest.get("environment") or {}
    host = {"Python": machine.get("python"), **(machine.get("versions") or {})}
    boxes: dict[str, set[str]] = {}
    pythons = [{"Python": rest.get("python")} for rest in _parsed(tables, "box_rest")]
    for named in [*pythons, *_parsed(tables, "box_engine")]:
        for name, value in named.items():
            if isinstance(value, str):
                boxes.setdefault(f"{name} (in the box)", set()).add(value)
    return {name: str(value) for name, value in host.items() if value} | {
        name: ", ".join(sorted(values)) for name, values in sorted(boxes.items())
    }


def _parsed(tables: Tables, column: str) -> list[dict[str, Any]]:
    """Return the distinct objects in a column of JSON."""
    return [json.loads(text) for text in tables.results[column].unique().to_pylist() if text]


def _seen(tables: Tables, column: str) -> str:
    """Return the distinct values of a column of results."""
    return ", ".join(sorted({str(value) for value in tables.results[column].to_pylist() if value is not None}))
