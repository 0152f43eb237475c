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


def groups(paths: dict[str, str], seconds: float) -> dict[str, object]:
    """Compute for some seconds, and return what Pinbox's own reader of control groups says."""
    sys.path.insert(0, paths["artifact"])
    import cgroup  # type: ignore[import-not-found]

    began, cpu_began = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        pass
    group = cgroup.control_group("memory")
    return {
        "version": group.version if group is not None else None,
        "memory_limit_bytes": cgroup.memory_limit_bytes(),
        "memory_peak_bytes": cgroup.memory_peak_bytes(),
        "quota_cpus": cgroup.cpu_quota(),
        "throttling": cgroup.throttling(),
        "cpu_share": (time.process_time() - cpu_began) / (time.perf_counter() - began),
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
    elif action == "child's memory":
        child = os.fork()
        if child == 0:
            bytearray(b"x") * request["bytes"]
            os._exit(0)
        seen = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    elif action == "groups":
        seen = groups(paths, request["seconds"])
    elif action == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    (Path(paths["output"]) / "seen.json").write_text(json.dumps(seen))


main()
