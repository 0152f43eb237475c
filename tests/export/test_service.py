"""The service of an exported folder: its files, its workers, and the whole of it over HTTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.config.load import BatchingConfig, LoadConfig, LoadKind
from runner.errors import UserError
from runner.export.service import service_files, service_settings
from runner.results.tables import Tables
from runner.trial import loop
from tests.export.conftest import ROOT
from tests.patience import PATIENCE_SECONDS, wait_until

OPEN = LoadConfig("busy", LoadKind.open, workers=2, batching=BatchingConfig(8, 2.5), queue=64)
#: Stands in for predict.py in a worker: the vector of a text is its length and that of its batch.
PREDICT = """
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SETTINGS = json.loads((HERE / "settings.json").read_text())

def load(folder, threads):
    return None

def predict(call, logits_of, size):
    assert size == len(call)
    if "bad" in call:
        raise ValueError("this text is bad")
    values = {
        "embedding": lambda text: np.array([len(text), len(call)], dtype=np.float32),
        "single-label": lambda text: np.array([0.25, 0.75]),
        "multi-label": lambda text: np.array([0.25, 0.75]),
        "tokens": lambda words: [(word, np.array([0.75, 0.25]) if word == "two" else None) for word in words],
    }
    return [values[SETTINGS["service"]["kind"]](text) for text in call]
"""


def variant(kind: str = "embedding", engine: str = "onnxruntime", python: str = "3.12.4", pairs: bool = False) -> Any:
    trial = {"box_rest": json.dumps({"python": python})}
    row = {"threads": 2, "job": "a-job"}
    return SimpleNamespace(kind=kind, engine=engine, pairs=pairs, row=row, trial=trial, name="a · b")


def test_the_service_is_configured_as_it_was_measured() -> None:
    settings = service_settings(variant(), OPEN)
    assert (settings["workers"], settings["max_batch_size"], settings["max_wait_milliseconds"]) == (2, 8, 2.5)
    assert settings["queue"] == 64
    assert settings["environment"]["OMP_NUM_THREADS"] == "2"
    closed = LoadConfig(workers=3, batching=BatchingConfig(8, 1))  # nothing reads these
    assert service_settings(variant(), closed)["workers"] == 1
    assert service_settings(variant(), closed)["max_batch_size"] == 1


def test_inputs_follow_from_the_task() -> None:
    for kind, pairs, expected in (
        ("embedding", False, "text"),
        ("single-label", True, "pair"),
        ("tokens", False, "words"),
    ):
        assert service_settings(variant(kind, pairs=pairs), OPEN)["input"] == expected


def test_what_needs_a_compiler_is_refused() -> None:
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler"):
        service_settings(variant(engine="torch_compile"), OPEN)


def test_the_loop_is_the_measured_one_and_nothing_imports_pinbox() -> None:
    files = service_files(variant(), service_settings(variant(), OPEN))
    assert files["loop.py"].encode() == Path(loop.__file__).read_bytes()
    assert "from loop import Queue, Request, serve" in files["worker.py"]
    for name in ("service.py", "worker.py", "loop.py"):
        assert not re.search(r"(from|import) runner\b", files[name])


def test_the_image_has_the_measured_python_and_no_root() -> None:
    settings = service_settings(variant(), OPEN)
    lines = service_files(variant(), settings)["Dockerfile"].splitlines()
    assert "FROM python:3.12-slim" in lines
    assert "USER 65534:65534" in lines
    assert any(line.startswith("HEALTHCHECK") and "/health" in line for line in lines)
    with pytest.raises(UserError, match="which is not a version"):
        service_files(variant(python="x\nRUN evil"), settings)


class Bench:
    """Some workers with a stand-in for the model, and the socket that service.py would have."""

    def __init__(self, folder: Path, kind: str = "embedding", load: LoadConfig = OPEN) -> None:
        settings = service_settings(variant(kind), load)
        for name, text in (service_files(variant(), settings) | {"predict.py": PREDICT}).items():
            (folder / name).write_text(text)
        rest = {"threads": 1, "max_length": 4, "labels": ["no", "yes"], "threshold": 0.5, "service": settings}
        (folder / "settings.json").write_text(json.dumps(rest))
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handle = theirs.fileno()
        self.processes = []
        for number in range(load.workers):
            command = [sys.executable, str(folder / "worker.py"), str(handle), str(number)]
            self.processes.append(subprocess.Popen(command, pass_fds=[handle], stderr=subprocess.DEVNULL))
        theirs.close()
        self.ours.settimeout(PATIENCE_SECONDS)
        for _ in self.processes:
            assert self.receive()[0] == -1

    def send(self, number: int, text: Any) -> None:
        self.ours.send(f"{number} {json.dumps(text)}".encode())

    def receive(self) -> tuple[int, int, str]:
        number, size, answer = self.ours.recv(1 << 20).decode().split(" ", 2)
        return int(number), int(size), answer


def test_workers_answer_every_text_once_in_batches_and_end_with_the_socket(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for process in bench.processes:
        process.send_signal(signal.SIGTERM)  # is for service.py
        process.send_signal(signal.SIGSTOP)
    for number in range(40):
        bench.send(number, "x" * number)
    for process in bench.processes:
        process.send_signal(signal.SIGCONT)
    answers = [bench.receive() for _ in range(40)]
    assert sorted(number for number, *_ in answers) == list(range(40))
    assert {json.loads(answer)[0] - number for number, _, answer in answers} == {0}
    assert {json.loads(answer)[1] - size for _, size, answer in answers} == {0}
    assert max(size for _, size, _ in answers) == 8
    bench.ours.close()
    assert [process.wait(PATIENCE_SECONDS) for process in bench.processes] == [0, 0]


def test_a_text_on_which_the_model_fails_has_no_answer_and_the_next_one_has(tmp_path: Path) -> None:
    bench = Bench(tmp_path, load=LoadConfig())
    bench.send(1, "bad")
    assert bench.receive() == (1, 1, "")
    bench.send(2, "good")
    assert bench.receive() == (2, 1, "[4.0, 1.0]")
    bench.ours.close()
    assert bench.processes[0].wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("single-label", {"label": "yes", "probability": 0.75}),
        ("multi-label", [{"label": "yes", "probability": 0.75}]),
        ("tokens", [{"label": "no", "probability": 0.75}, None]),
    ],
)
def test_each_kind_of_task_has_its_own_answer(kind: str, expected: Any, tmp_path: Path) -> None:
    bench = Bench(tmp_path, kind, LoadConfig())
    bench.send(7, ["two", "words"])
    assert json.loads(bench.receive()[2]) == expected
    bench.ours.close()
    assert bench.processes[0].wait(PATIENCE_SECONDS) == 0


@pytest.fixture(scope="module")
def deployed(swept: Tables, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An exported folder, and the Python of an environment with its requirements alone."""
    place = tmp_path_factory.mktemp("deployed")
    command = [sys.executable, "-m", "runner.cli", "export", str(swept.folder), "onnx", str(place / "folder")]
    subprocess.run([*command, "--service"], cwd=ROOT, check=True)
    venv.create(place / "environment", symlinks=True)
    python = place / "environment" / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--only-binary", ":all:"]
    command += ["-r", str(place / "folder" / "requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True)
    if "NewConnectionError" in done.stderr:
        pytest.skip("no package index answers")
    assert done.returncode == 0, done.stderr
    return place / "folder", python


class Running:
    """A service that answers."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process, self.address = process, address
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        self.workers = [int(pid) for pid in children.split()]

    def get(self, path: str, inputs: Any = None) -> tuple[int, str]:
        """Return the status and the body of a response."""
        body = None if inputs is None else json.dumps({"inputs": inputs}).encode()
        try:
            with urllib.request.urlopen(self.address + path, body, timeout=PATIENCE_SECONDS) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """Return a figure of /metrics."""
        lines = dict(line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if line[0] != "#")
        return float(lines[name])

    def signal_workers(self, number: int) -> None:
        for worker in self.workers:
            os.kill(worker, number)

    @contextmanager
    def stopped_workers(self) -> Iterator[None]:
        """Let no worker do anything in the context."""
        self.signal_workers(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal_workers(signal.SIGCONT)

    @contextmanager
    def asking(self, inputs: Any) -> Iterator[list[tuple[int, str]]]:
        """Ask for predictions beside the context. The list has the response after it."""
        responses: list[tuple[int, str]] = []
        thread = threading.Thread(target=lambda: responses.append(self.get("/predict", inputs)))
        thread.start()
        yield responses
        thread.join()


@pytest.fixture
def serve(deployed: tuple[Path, Path], tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a service with some settings changed. All services end with the test."""
    folder, python = deployed
    processes: list[subprocess.Popen[str]] = []

    def start(**changed: Any) -> Running:
        copied = shutil.copytree(folder, tmp_path / f"service-{len(processes)}")
        settings = json.loads((copied / "settings.json").read_text())
        settings["service"] |= changed
        (copied / "settings.json").write_text(json.dumps(settings))
        command = [str(python), "-I", str(copied / "service.py"), "--port", "0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stderr is not None
        log = ""
        while not (found := re.search(r"running on (http://\S+)", log)):
            line = process.stderr.readline()
            assert line, log
            log += line
        return Running(process, found[1])

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.slow
def test_the_card_says_how_to_serve_it(deployed: tuple[Path, Path]) -> None:
    card = (deployed[0] / "README.md").read_text()
    assert "## Serve it" in card
    assert "The service has 1 worker. Each worker is a process with 1 thread, and answers one text at a time." in card


@pytest.mark.slow
def test_it_serves_what_was_recorded(swept: Tables, serve: Callable[..., Running]) -> None:
    service = serve()
    rows = [row for row in swept.predictions.read().to_pylist() if row["technique"] == "onnx"]
    assert len(rows) == 16
    assert service.get("/health") == (200, '{"status":"ok"}')
    alone = [json.loads(service.get("/predict", row["text"])[1])["predictions"][0] for row in rows]
    status, body = service.get("/predict", [row["text"] for row in rows])
    assert status == 200
    for found in (alone, json.loads(body)["predictions"]):
        assert [one["label"] for one in found] == [row["prediction"] for row in rows]
        assert [one["probability"] for one in found] == pytest.approx([row["probability"] for row in rows], abs=2e-6)
    assert service.metric('predict_texts_total{outcome="answered"}') == 32
    assert service.metric("predict_seconds_count") == 32
    assert service.metric("predict_workers") == 1


@pytest.mark.slow
def test_batches_are_those_of_the_settings(serve: Callable[..., Running]) -> None:
    service = serve(max_batch_size=4)
    with service.asking(["a text"] * 8), service.stopped_workers():
        wait_until(lambda: service.metric("predict_texts_inside") == 8)
    assert service.metric('predict_batch_size_bucket{le="4.0"}') == 8
    assert service.metric('predict_batch_size_bucket{le="2.0"}') <= 4


@pytest.mark.slow
def test_a_full_queue_rejects_and_the_others_are_answered(serve: Callable[..., Running]) -> None:
    service = serve(queue=1)
    with service.asking(["one in the worker", "one that waits"]) as responses, service.stopped_workers():
        wait_until(lambda: service.metric("predict_texts_inside") == 2)
        status, body = service.get("/predict", "one too many")
        assert (status, json.loads(body)) == (503, {"error": "The queue is full."})
        assert service.get("/health")[0] == 200
    assert responses[0][0] == 200
    assert service.metric('predict_texts_total{outcome="rejected"}') == 1
    assert service.get("/predict", "and again")[0] == 200


@pytest.mark.slow
def test_texts_wait_even_if_they_are_more_than_the_socket_holds(serve: Callable[..., Running]) -> None:
    service = serve(max_batch_size=8)
    with service.asking(["x" * 30000] * 250) as responses, service.stopped_workers():
        wait_until(lambda: service.metric("predict_texts_inside") == 250)
    status, body = responses[0]
    assert (status, len(json.loads(body)["predictions"])) == (200, 250)


@pytest.mark.slow
def test_what_is_no_text_is_refused(serve: Callable[..., Running]) -> None:
    service = serve()
    refused: list[tuple[Any, int]] = [
        (7, 400),
        ([["a", "pair"]], 400),
        (["good", None], 400),
        ("\ud800", 400),
        ("x" * 40000, 413),
        (["x"] * 300, 413),
    ]
    for inputs, status in refused:
        assert service.get("/predict", inputs)[0] == status
    assert service.get("/predict", []) == (200, '{"predictions": []}')
    assert service.get("/predict", "a text")[0] == 200


@pytest.mark.slow
def test_the_service_ends_when_a_worker_is_killed(serve: Callable[..., Running]) -> None:
    service = serve(workers=2)
    with service.asking("a text that nobody will answer") as responses:
        service.signal_workers(signal.SIGSTOP)
        killed, other = service.workers
        os.kill(killed, signal.SIGKILL)
        os.kill(other, signal.SIGCONT)
    assert responses
    assert service.process.wait(PATIENCE_SECONDS) == 1
    assert "Worker 0 ended with exit code -9." in service.process.communicate()[1]
    assert all(map(is_gone, service.workers))


@pytest.mark.slow
def test_sigterm_answers_what_waits_and_ends_everything(serve: Callable[..., Running]) -> None:
    service = serve(workers=2)
    with service.asking(["one", "two", "three"]) as responses, service.stopped_workers():
        wait_until(lambda: service.metric("predict_texts_inside") == 3)
        service.process.send_signal(signal.SIGTERM)
    assert responses[0][0] == 200
    assert service.process.wait(PATIENCE_SECONDS) in (0, -signal.SIGTERM)
    assert all(map(is_gone, service.workers))


@pytest.mark.slow
def test_no_worker_outlives_a_service_that_is_killed(serve: Callable[..., Running]) -> None:
    service = serve(workers=2)
    service.process.kill()
    for worker in service.workers:
        wait_until(lambda pid=worker: is_gone(pid))
