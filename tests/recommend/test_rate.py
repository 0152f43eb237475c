"""The choice under a rate: replicas, cores, ties, cost, what is refused, and what the command prints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli.pinbox import main
from runner.config.paths import CONF
from runner.errors import UserError
from runner.recommend.capacity import Capacity, Objective, measured_capacity
from runner.recommend.choose import choose
from runner.recommend.decision import Block, DecisionData, Variant
from runner.recommend.decision_data import decision_data
from runner.recommend.prices import Instance, read_prices
from runner.recommend.rate import choose_for_rate, chosen_objective, fleets, per_million
from runner.results.collect import collect
from runner.results.tables import read_tables
from tests.results.synthetic import OPEN, Job, write_sweep

OBJECTIVE = Objective(99.0, 0.05)
ROW = {**OPEN, "threads": 1}
JOBS = (
    Job("torch-eager", 0.1, capacity_per_second=50.0),
    Job("onnx-int8", 0.036, capacity_per_second=150.0, flips=0.5),
    Job("onnx", 0.08, capacity_per_second=60.0),
    Job("too-slow", 0.2, capacity_per_second=0.0),
)


def trials(*rounds: float) -> list[dict[str, float]]:
    return [{"round": number, "capacity_per_second": capacity} for number, capacity in enumerate(rounds)]


def a_capacity(
    per_second: float, low: float | None, high: float | None, workers: int = 1, threads: int = 1
) -> Capacity:
    return Capacity(OBJECTIVE, workers, threads, 1, 0.0, per_second, low, high, 5)


def data_of(*capacities: Capacity | None, disk_bytes: float = 1e6) -> DecisionData:
    """A sweep of variants v0, v1, … with these capacities, the fastest first."""
    block = Block(1, [0], None, None)
    variants = [
        Variant(f"v{n}", 1, block, 0.01 * (n + 1), False, {"disk_bytes": disk_bytes * (n + 1)}, None, [0], {}, capacity)
        for n, capacity in enumerate(capacities)
    ]
    return DecisionData("t", "docker", 1, variants, [], 0, 0, None, "")


def test_the_interval_is_that_of_the_logs_of_the_rounds() -> None:
    capacity = measured_capacity(ROW, trials(90.0, 100.0, 100.0**2 / 90))
    assert capacity is not None
    assert capacity.per_second == pytest.approx(100)
    assert capacity.low is not None
    assert capacity.high is not None
    assert capacity.low * capacity.high == pytest.approx(100**2)
    assert capacity.low == pytest.approx(77.0, abs=0.1)  # exp(-4.303 × 0.10536 ÷ √3)
    assert (capacity.safe_per_second, capacity.rounds) == (capacity.low, 3)


def test_both_baselines_of_a_round_are_one_value() -> None:
    capacity = measured_capacity(ROW, [*trials(50.0), *trials(200.0)])
    assert capacity is not None
    assert (capacity.per_second, capacity.low, capacity.rounds) == (pytest.approx(100), None, 1)


def test_a_capacity_of_zero_in_one_round_is_no_capacity_to_count_on() -> None:
    capacity = measured_capacity(ROW, trials(50.0, 0.0, 50.0))
    assert capacity is not None
    assert capacity.safe_per_second == 0


def test_a_closed_load_has_no_capacity() -> None:
    assert measured_capacity(ROW, [{"round": 0, "capacity_per_second": None}]) is None  # type: ignore[dict-item]


def test_the_fewest_cores_win_and_the_lower_end_is_counted() -> None:
    slow, fast, wide = a_capacity(60, 55, 65), a_capacity(105, 99, 111), a_capacity(220, 210, 230, workers=2, threads=2)
    data = data_of(slow, fast, wide)
    at = choose_for_rate(data, choose(data, {}), 200, OBJECTIVE)
    assert [(one.place, one.replicas, one.cores) for one in at.servings] == [(1, 3, 3), (0, 4, 4), (2, 1, 4)]
    assert at.winner == at.servings[0]
    assert at.ties == [], "the others need 4 cores, even at their upper ends"


def test_ties_need_as_few_cores_at_the_upper_end_of_their_interval() -> None:
    data = data_of(a_capacity(100, 95, 105), a_capacity(98, 90, 107), a_capacity(99, 96, 102))
    at = choose_for_rate(data, choose(data, {}), 192, OBJECTIVE)
    assert [(one.place, one.cores) for one in at.servings] == [(2, 2), (0, 3), (1, 3)]
    assert {one.place for one in at.ties} == {0, 1}


def test_the_other_limits_hold() -> None:
    data = data_of(a_capacity(60, 55, 65), a_capacity(500, 480, 520))
    at = choose_for_rate(data, choose(data, {"disk_bytes": 1.5e6}), 200, OBJECTIVE)
    assert at.winner is not None
    assert at.winner.place == 0
    assert len(at.servings) == 2


def test_what_cannot_hold_any_rate_says_why() -> None:
    data = data_of(a_capacity(0, None, None), None, replace(a_capacity(50, 49, 51), objective=Objective(99.0, 0.02)))
    at = choose_for_rate(data, choose(data, {}), 200, OBJECTIVE)
    assert at.winner is None
    assert at.cannot[0] == "no rate keeps p99 ≤ 50.0 ms in every round"
    assert "not measured" in at.cannot[1]
    assert "not measured" in at.cannot[2]


def test_the_objective_must_be_the_measured_one() -> None:
    data = data_of(a_capacity(50, 49, 51))
    assert chosen_objective([data], None) == OBJECTIVE
    assert chosen_objective([data], OBJECTIVE) == OBJECTIVE
    with pytest.raises(UserError, match=r"The objective p99 ≤ 20\.0 ms was not measured; measured: p99 ≤ 50\.0 ms\."):
        chosen_objective([data], Objective(99.0, 0.02))
    with pytest.raises(UserError, match="measured no capacity"):
        chosen_objective([data_of(None)], OBJECTIVE)
    other = data_of(replace(a_capacity(50, 49, 51), objective=Objective(99.0, 0.02)))
    with pytest.raises(UserError, match="several objectives"):
        chosen_objective([data, other], None)


def test_whole_instances_are_counted_by_cores_and_by_memory() -> None:
    data = data_of(a_capacity(100, 100, 100, workers=2))
    at = choose_for_rate(data, choose(data, {}), 500, OBJECTIVE)
    assert at.winner is not None
    types = [Instance("small", 1, 64, 0.01), Instance("four", 4, 64, 0.2), Instance("poor", 8, 1.5, 0.3)]
    found = fleets(at.winner, types, 1 << 30)
    assert [(f.instance.name, f.count, f.replicas_each) for f in found] == [("four", 3, 2), ("poor", 5, 1)]
    assert [f.replicas_each for f in fleets(at.winner, types, None)] == [4, 2]
    assert found[0].price_per_hour == pytest.approx(0.6)
    assert per_million(3.6, 1000) == pytest.approx(1.0)


def test_the_examples_of_prices_can_be_read() -> None:
    prices = read_prices(CONF / "prices.yaml")
    assert prices.currency == "USD"
    assert [instance.cores for instance in prices.instances] == [2, 4, 8]


HEAD = "date: 2026-11-30\ncurrency: USD\ninstances:\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- [", "is not YAML"),
        ("", "Expected object"),
        (f"{HEAD}  - {{name: a, cores: 2, memory_gib: 4}}", "missing required field price_per_hour"),
        (f"{HEAD}  - {{name: a, cores: two, memory_gib: 4, price_per_hour: 1}}", r"Expected int, got str.*cores"),
        (f"{HEAD}  - {{name: a, cores: 0, memory_gib: 4, price_per_hour: 1}}", r"instances\[0\]\.cores is 0"),
        (f"{HEAD}  - {{name: a, cores: 1, memory_gib: 4, price_per_hour: .nan}}", r"price_per_hour is nan"),
        (f"{HEAD}  []", "instances is empty"),
        (f"{HEAD}  []\nprices: 3", "unknown field prices"),
    ],
)
def test_prices_that_cannot_be_meant(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read_prices(path)
    with pytest.raises(UserError, match=r"gone\.yaml cannot be read"):
        read_prices(tmp_path / "gone.yaml")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sweep(tmp_path_factory.mktemp("open"), JOBS, rounds=5)
    collect(folder)
    return folder


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    monkeypatch.setenv("COLUMNS", "200")
    code = main(["recommend", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, " ".join((printed.out + printed.err).split())


def test_the_command(sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = run(capsys, monkeypatch, sweep, "--slo-p99-ms=50", "--rate=200", "--core-hour=0.036")
    assert code == 0
    assert "→ onnx-int8: 2 replicas of 1 worker × 1 thread, 2 cores" in text
    assert "A million requests at this rate cost 0.100, at 0.036 per core-hour." in text
    assert "no rate keeps p99 ≤ 50.0 ms in every round" in text
    assert "A queueing model of its single calls expects" in text
    code, text = run(capsys, monkeypatch, sweep, "--rate=200", "--min-score=100", "--prices", CONF / "prices.yaml")
    assert (code, "→ onnx-int8" in text) == (1, False)
    code, text = run(capsys, monkeypatch, sweep, "--rate=200", "--prices", CONF / "prices.yaml")
    assert code == 0
    assert "1 × example-2 with up to 2 replicas each: 0.0800 USD an hour, 0.111 USD a million." in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--slo-p99-ms=20", "--rate=200"], "The objective p99 ≤ 20.0 ms was not measured; measured: p99 ≤ 50.0 ms."),
        (["--slo-p99-ms=50"], "need --rate"),
        (["--rate=0"], "--rate=0 must be above 0"),
        (["--rate=many"], "--rate=many is not allowed"),
        (["--rate=2", "--core-hour=1", f"--prices={CONF / 'prices.yaml'}"], "either --core-hour or --prices"),
    ],
)
def test_what_is_refused(
    sweep: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    code, text = run(capsys, monkeypatch, sweep, *arguments)
    assert (code, said in text) == (2, True), text


def test_labels_tell_configurations_apart(sweep: Path) -> None:
    tables = read_tables(sweep)
    rows = tables.jobs
    rows[1]["workers"], rows[1]["max_batch_size"] = 2, 8
    (data,) = decision_data(tables)
    assert "onnx-int8 · 2 workers · batches of up to 8" in [variant.label for variant in data.variants]
    assert data.title.endswith("load open")
