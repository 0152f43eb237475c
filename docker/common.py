"""Functions that the set-up scripts share: paths, a lock for one process at a time, and errors for people.

These scripts run before anything is installed, so they use the standard library only. The scripts that `pinbox image`
needs are also in the wheel. An installed Pinbox writes what they make into the user's cache.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
INSTALLED = not (ROOT / "pyproject.toml").exists()
_USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = _USER_CACHE / "pinbox" if INSTALLED else ROOT / ".cache"

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)  # as `requires-python` in pyproject.toml
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # the kernel's name, and the name in Docker and Debian

# Any fixed time works. Every file and the base image get this time, so that two builds do not differ.
EPOCH = 1758240000


class SetupError(Exception):
    """An error that the user can correct. The message says what is wrong and what to do."""


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def run_main(main: Callable[[], None]) -> None:
    """Run a script. An error that we can explain becomes a message and exit code 2, not a traceback."""
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        oldest, newest = (".".join(map(str, version)) for version in (OLDEST_PYTHON, NEWEST_PYTHON))
        sys.exit(
            f"error: this is Python {sys.version.split()[0]}, and Pinbox needs {oldest} to {newest}: "
            f"try `make setup PYTHON=python{newest}`"
        )
    if platform.machine() not in MACHINES:
        sys.exit(f"error: this machine is {platform.machine()}, and Pinbox runs on {' and '.join(MACHINES)} only")
    try:
        main()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process at a time run this block, because the environment and the image are made in parallel."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(*command: str | Path, advice: str, env: Mapping[str, str] | None = None) -> str:
    """Run a command quietly and return its output. If it fails, the error shows the advice and the last lines."""
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        tail = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-12:])
        raise SetupError(f"{advice}\n  `{' '.join(map(str, command[:4]))} …` said:\n{tail}")
    return done.stdout


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
