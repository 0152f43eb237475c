"""Results of other tools: read as the tools wrote them, refused where they are not whole, shown and handed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import UserError
from runner.export.bundle.write import write_bundle
from runner.report.write import write_report
from runner.results.collect import collect
from runner.results.external.measured import keep, kept
from runner.results.external.read import read
from tests.results.synthetic import DEMO, write_sweep

# As pyperf 2.11 writes it: a run that calibrates, then runs with values; what is common stands at the end.
PYPERF: dict[str, Any] = {
    "version": "1.0",
    "benchmarks": [
        {
            "metadata": {"name": "onnx"},
            "runs": [
                {"metadata": {"calibrate_loops": 8}, "warmups": [[8, 0.5]]},
                {"metadata": {"mem_max_rss": 60_000_000}, "values": [0.010, 0.012], "warmups": [[8, 0.011]]},
                {"metadata": {"mem_max_rss": 61_000_000}, "values": [0.011, 0.030]},
            ],
        },
        {"metadata": {"name": "size", "unit": "byte"}, "runs": [{"values": [4096]}]},
    ],
    "metadata": {"cpu_model_name": "AMD EPYC", "hostname": "secret-host", "perf_version": "2.11.0", "unit": "second"},
}
# As optimum-benchmark 0.6 writes it: the report, and in benchmark.json the config beside it.
OPTIMUM: dict[str, Any] = {
    "config": {
        "name": "try",
        "backend": {"name": "pytorch", "model": "roberta-base"},
        "environment": {"cpu": " AMD EPYC", "optimum_benchmark_version": "0.6.0"},
    },
    "report": {
        "load_model": {"memory": {"unit": "MB", "max_ram": 700.0}, "latency": {"unit": "s", "values": [1.5]}},
        "forward": {
            "memory": {"unit": "MB", "max_ram": 812.5, "max_allocated": None},
            "latency": {"unit": "s", "values": [0.02, 0.04, 0.03], "p50": 0.03},
            "throughput": {"unit": "samples/s", "value": 33.3},
            "energy": None,
        },
    },
}


def written(folder: Path, document: Any, name: str = "bench.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def test_pyperf_s_values_count_and_those_of_its_calibration_do_not(tmp_path: Path) -> None:
    (found,) = read(written(tmp_path, PYPERF))
    assert (found.tool, found.name, found.processes, found.calls) == ("pyperf 2.11.0", "onnx", 2, 4)
    assert found.latency_p50_seconds == pytest.approx(0.0115)
    assert found.latency_p90_seconds == pytest.approx(0.0246)  # numpy.percentile(values, 90)
    assert (found.rss_peak_bytes, found.cpu) == (61_000_000, "AMD EPYC")


@pytest.mark.parametrize("with_config", [True, False])
def test_optimum_benchmark_s_report_is_read_with_or_without_its_config(tmp_path: Path, with_config: bool) -> None:
    (found,) = read(written(tmp_path, OPTIMUM if with_config else OPTIMUM["report"]))
    assert found.tool == ("optimum-benchmark 0.6.0" if with_config else "optimum-benchmark")
    assert found.name == ("try · roberta-base · pytorch · forward" if with_config else "forward")
    assert (found.latency_p50_seconds, found.calls, found.load_seconds) == (0.03, 3, 1.5)
    assert (found.rss_peak_bytes, found.examples_per_second) == (812_500_000, 33.3)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"results": []}, "not written by a tool whose results can be read"),
        ([1], "not written by a tool"),
        (PYPERF | {"benchmarks": []}, "no timings"),
        (PYPERF | {"benchmarks": [{"runs": [{"values": ["fast"]}]}]}, "fast is not a positive number"),
        (PYPERF | {"benchmarks": [{"runs": [{"values": [-1.0]}]}]}, "not a positive number"),
        (PYPERF | {"benchmarks": [7]}, "cannot be read"),
        ({"forward": {"latency": {"unit": "s", "values": 3}}}, "a list of numbers was expected"),
        ({"forward": {"latency": {"unit": "ms", "values": [3]}}}, "expected s"),
    ],
)
def test_what_is_not_whole_is_refused_with_its_reason(tmp_path: Path, document: Any, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read(written(tmp_path, document))


def test_no_json_and_no_file_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for path in (broken, tmp_path, tmp_path / "none.json"):
        with pytest.raises(UserError, match=r"known formats|cannot be read"):
            read(path)


def test_they_are_shown_once_and_travel_without_names_of_machines(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path / "sweep", DEMO))
    hostile = PYPERF | {"metadata": PYPERF["metadata"] | {"cpu_model_name": "<script>alert(1)</script>"}}
    for _ in range(2):  # the same file again takes the place of the first
        keep(tables.folder, read(written(tmp_path, hostile)))
    assert len(kept(tables.folder)) == 1
    bundle = write_bundle(tables, tmp_path / "bundle")
    for report in (write_report(tables.folder), bundle / "report.html", tables.folder / "report.md"):
        text = report.read_text()
        assert text.count("11.5 ms") == 1
        assert "secret-host" not in text
        assert "<script>alert(1)" not in text
