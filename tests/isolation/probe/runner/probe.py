"""Stand in for Pinbox's code inside a box: do what `action` says and write what it sees."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

_FOREVER_SECONDS = 3600  # the test ends it long before


def writes(path: Path) -> str:
    try:
        path.write_text("x")
    except OSError as error:
        return error.strerror or "error"
    return "ok"


def look(paths: dict[str, str]) -> dict[str, object]:
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
        network = "open"
    except OSError as error:
        network = error.strerror or str(error)
    return {
        "cpus": sorted(os.sched_getaffinity(0)),
        "uid": os.getuid(),
        "network": network,
        "root": writes(Path("/probe")),
        "input": writes(Path(paths["artifact"]) / "probe"),
        "output": writes(Path(paths["output"]) / "probe"),
        "environment": dict(os.environ),
    }


def fork_until_refused() -> int:
    children = []
    try:
        for _ in range(200):
            child = os.fork()
            if child == 0:
                time.sleep(_FOREVER_SECONDS)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, signal.SIGKILL)
    return len(children)


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text())
    paths, action = request["paths"], request["action"]
    seen: object = None
    if action == "look":
        seen = look(paths)
    elif action == "forks":
        seen = fork_until_refused()
    elif action == "hang":
        print("going to sleep", flush=True)
        time.sleep(_FOREVER_SECONDS)
    elif action == "fail":
        print("first line\nValueError: it is broken", file=sys.stderr)
        sys.exit(3)
    elif action == "memory":
        seen = len(bytearray(b"x") * (request["bytes"]))
    elif action == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    (Path(paths["output"]) / "seen.json").write_text(json.dumps(seen))


main()
