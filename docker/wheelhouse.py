"""The wheelhouse: every file the locks name, downloaded once, for the host environment and the image alike.

pip downloads, so a mirror or a folder of wheels in your own pip configuration is honoured, and it checks each
file against the hashes in the lock.
"""

import re
import sys
import time
from pathlib import Path
from typing import NamedTuple

from workshop import CACHE, DOCKER, INSTALLED, ROOT, VENV, SetupError, one_at_a_time, run, say, sha256

WHEELS = CACHE / "wheelhouse"
HOST_LOCK = DOCKER / "host.lock"
BOX_LOCK = DOCKER / "box.lock"
LOCK = BOX_LOCK if INSTALLED else HOST_LOCK  # what is fetched; box.lock is a subset of host.lock
PYTHON = VENV / "bin" / "python"

# PyPI serves a CUDA build of several gigabytes under the same number as the CPU build. The locks therefore name
# the CPU build (`2.13.0+cpu`), which PyTorch serves here. No other place in the project knows this address.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

# How pip is to take a lock file: these packages and no others, each checked. One of them ships no wheel: it is
# built with the setuptools of the lock, for an isolated build would fetch an unpinned one.
LOCKED = ("--quiet", "--no-deps", "--require-hashes", "--use-pep517", "--no-build-isolation", "--requirement")
ADVICE = "check the network, or set an index that you can reach with `pip config set global.index-url …`"


class Pin(NamedTuple):
    """One package of a lock file."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in self.hashes)])


def read_lock(lock: Path) -> dict[str, Pin]:
    """The packages of a lock file, by name."""
    text = re.sub(r"\\\n", " ", lock.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    pins = []
    for line in lines:
        match = re.match(r"([a-z0-9-]+)==(\S+)", line)
        if match is None:
            raise SetupError(
                f"{lock.relative_to(ROOT)}: cannot read `{line[:80]}`: make the file anew with `make lock`"
            )
        pins.append(Pin(match[1], match[2], tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))))
    return {pin.name: pin for pin in pins}


def pip(*arguments: str | Path, advice: str) -> None:
    """Run the pip of .venv."""
    run(PYTHON, "-m", "pip", *arguments, advice=advice)


def ensure_pip() -> None:
    """Make .venv, with pip and (if in it) the setuptools of the lock, unless it is there and whole."""
    ready = VENV / ".pip-ready"
    with one_at_a_time("venv"):
        if ready.exists() and PYTHON.exists():
            return
        run(
            *(sys.executable, "-m", "venv", "--clear", VENV),
            advice="cannot make .venv: on Debian or Ubuntu, `apt-get install python3.11-venv` first",
        )
        setuptools = read_lock(LOCK).get("setuptools")
        if setuptools:
            pip("install", *LOCKED, requirement(setuptools), advice=f"cannot install setuptools: {ADVICE}")
        ready.touch()


def fetch() -> Path:
    """Make sure that all files of the lock are in the wheelhouse."""
    ensure_pip()
    pins = read_lock(LOCK)
    stamp = WHEELS / f".{sha256(LOCK)[:12]}"
    with one_at_a_time("wheelhouse"):
        if stamp.exists():
            return WHEELS
        start = time.monotonic()
        WHEELS.mkdir(exist_ok=True)
        fetch_torch(pins["torch"], WHEELS)
        pip(
            *("download", "--dest", WHEELS, "--find-links", WHEELS, *LOCKED, LOCK),
            advice=f"cannot download the packages of docker/{LOCK.name}: {ADVICE}",
        )
        stamp.touch()
    say(f"wheelhouse: {len(pins)} packages, {time.monotonic() - start:.0f} s")
    return WHEELS


def fetch_torch(torch: Pin, folder: Path) -> None:
    """Download the CPU build of torch, from PyTorch's index or a folder that pip is configured with."""
    wheel = f"torch-{torch.version}-cp311-cp311-manylinux_2_28_x86_64.whl"
    pip(
        *("download", "--quiet", "--no-deps", "--dest", folder, "--find-links", folder),
        *("--index-url", TORCH_CPU_INDEX, "--retries", "1", "--requirement", requirement(torch)),
        advice=f"cannot get the CPU build of torch {torch.version}: {TORCH_CPU_INDEX}\n"
        "  does not answer, and no folder of wheels has it. (The build on PyPI is for CUDA and will not do.)\n"
        f"  Download {wheel} where you can, and\n"
        "  point pip to its folder: `pip config set global.find-links FOLDER`",
    )


def requirement(pin: Pin) -> Path:
    """A requirements file with one package in it."""
    CACHE.mkdir(exist_ok=True)
    file = CACHE / f"{pin.name}.txt"
    file.write_text(f"{pin}\n")
    return file


def wheels_of(lock: Path) -> list[Path]:
    """The files of `lock` in the wheelhouse, found by their hashes: older ones may lie beside them."""
    wanted = {digest for pin in read_lock(lock).values() for digest in pin.hashes}
    found = [file for file in sorted(WHEELS.glob("*.whl")) if sha256(file) in wanted]
    if len(found) != len(read_lock(lock)):
        raise SetupError(f"the wheelhouse does not match {lock.relative_to(ROOT)}: `rm -r {WHEELS}` and try again")
    return found
