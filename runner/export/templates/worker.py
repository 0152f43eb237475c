"""Answer the texts that service.py sends, in batches. service.py starts this script once for each worker."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from runner.export.templates.onnxruntime import load
from runner.export.templates.predict import HERE, SETTINGS, predict
from runner.trial.loop import Queue, Request, serve

SERVICE = SETTINGS["service"]
MESSAGE_BYTES = 1 << 20  # no message is longer
STARTED = -1  # instead of a request's number: the worker is warm


def main() -> None:
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # a worker answers what waits, and ends when service.py closes the socket
    handle, number = map(int, sys.argv[1:])
    pin(number)
    answer = load_answer()
    warm_up(answer)
    gc.collect()
    gc.freeze()  # these objects stay, so later collections need not look at them
    messages = Messages(handle)
    messages.send([STARTED], [""])
    queue = Queue(messages, SERVICE["max_batch_size"], SERVICE["max_wait_milliseconds"] / 1000)
    serve(queue, answer, messages.send)


class Messages:
    """The socket that all workers share. Each message in it is one text, or the answer to one text."""

    def __init__(self, handle: int) -> None:
        self._socket = socket.socket(fileno=handle)

    def fileno(self) -> int:
        return self._socket.fileno()

    def wait(self, most: int) -> list[Request]:
        taken = self._receive(0)
        if taken:
            try:
                taken += self.further(most - 1)
            except BlockingIOError:
                pass  # no other one waits
        return taken

    def further(self, most: int) -> list[Request]:
        taken: list[Request] = []
        while len(taken) < most:
            try:
                more = self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                if taken:
                    break
                raise
            if not more:
                break
            taken += more
        return taken

    def send(self, numbers: Sequence[int], answers: Sequence[str]) -> None:
        for number, answer in zip(numbers, answers, strict=True):
            self._socket.send(f"{number} {len(numbers)} {answer}".encode())

    def _receive(self, flags: int) -> list[Request]:
        """Return the next request, or none if service.py has closed the socket."""
        try:
            message = self._socket.recv(MESSAGE_BYTES, flags)
        except ConnectionResetError:
            return []
        if not message:
            return []
        number, _, text = message.partition(b" ")
        return [(int(number), json.loads(text))]


def pin(number: int) -> None:
    """Pin this worker to its own cores, as in the measurement, if the service may use only some of the machine's."""
    usable, threads = sorted(os.sched_getaffinity(0)), SETTINGS["threads"]
    needed = threads * SERVICE["workers"]
    if needed <= len(usable) < (os.cpu_count() or 1):
        os.sched_setaffinity(0, usable[-needed:][number * threads : (number + 1) * threads])


def load_answer() -> Callable[[Sequence[Any]], list[str]]:
    """Load the model, and return the function that turns the texts of a batch into answers in JSON."""
    logits_of, as_json = load(HERE, SETTINGS["threads"]), AS_JSON[SERVICE["kind"]]

    def answer(texts: Sequence[Any]) -> list[str]:
        call = [tuple(text) for text in texts] if SERVICE["input"] == "pair" else list(texts)
        try:
            return [json.dumps(as_json(one), allow_nan=False) for one in predict(call, logits_of, len(call))]
        except Exception:  # the next batch may do better
            traceback.print_exc()
            return [""] * len(texts)

    return answer


def warm_up(answer: Callable[[Sequence[Any]], list[str]]) -> None:
    """Make the first calls, which are slow: short and long texts, alone and in a full batch."""
    for words in (1, SETTINGS["max_length"]):
        text: Any = " ".join(["text"] * words)
        text = {"text": text, "pair": [text, text], "words": ["text"] * words}[SERVICE["input"]]
        for size in (1, SERVICE["max_batch_size"]):
            if not all(answer([text] * size)):
                sys.exit("The model fails; see the error above.")


def label(probabilities: Any) -> dict[str, Any]:
    """Return the most probable label."""
    best = int(probabilities.argmax())
    return {"label": SETTINGS["labels"][best], "probability": float(probabilities[best])}


def labels(probabilities: Any) -> list[dict[str, Any]]:
    """Return all labels above the threshold."""
    pairs = zip(SETTINGS["labels"], map(float, probabilities), strict=True)
    return [{"label": name, "probability": p} for name, p in pairs if p > SETTINGS["threshold"]]


def vector(numbers: Any) -> list[float]:
    """Return the vector."""
    return [float(number) for number in numbers]


def tags(tagged: Any) -> list[dict[str, Any] | None]:
    """Return the tag of each word, or None for a word without a token."""
    return [None if probabilities is None else label(probabilities) for _, probabilities in tagged]


AS_JSON: dict[str, Callable[[Any], Any]] = {
    "single-label": label,
    "multi-label": labels,
    "embedding": vector,
    "tokens": tags,
    "rerank": float,
}

if __name__ == "__main__":
    main()
