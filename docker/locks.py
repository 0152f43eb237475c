"""Make docker/host.lock from pyproject.toml, and docker/box.lock from docker/box.in at the same versions.

make lock              keep what is locked where it still fits
make lock UPGRADE=1    take the newest versions that fit
"""

import sys
import tomllib
from pathlib import Path

from wheelhouse import BOX_LOCK, HOST_LOCK, Pin, fetch_torch, read_lock
from workshop import CACHE, ROOT, VENV, SetupError, run, run_main, say

HEADER = "# Made by `make lock`: not to be edited by hand.\n"


def main() -> None:
    folder = CACHE / "torch"
    folder.mkdir(parents=True, exist_ok=True)
    fetch_torch(Pin("torch", f"{torch_version()}+cpu", ()), folder)
    upgrade = ["--upgrade"] if "--upgrade" in sys.argv[1:] else []
    compile_lock(HOST_LOCK, ["pyproject.toml", "--extra", "dev", "--find-links", folder, *upgrade])
    compile_lock(BOX_LOCK, ["docker/box.in", "--constraint", HOST_LOCK, "--find-links", folder, *upgrade])


def torch_version() -> str:
    """The version that pyproject.toml asks for."""
    wanted: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return next(line.removeprefix("torch==") for line in wanted if line.startswith("torch=="))


def compile_lock(lock: Path, arguments: list[str | Path]) -> None:
    run(
        *(VENV / "bin" / "uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-header"),
        *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"),
        *("--output-file", lock, *arguments),
        advice=f"cannot make {lock.relative_to(ROOT)}",
    )
    lock.write_text(HEADER + lock.read_text())
    pins = read_lock(lock)
    cuda = [name for name in pins if name.startswith(("nvidia-", "cuda-", "triton"))]
    if cuda or not pins["torch"].version.endswith("+cpu"):
        raise SetupError(f"{lock.relative_to(ROOT)} took a CUDA build of torch ({', '.join(cuda)}): do not commit it")
    say(f"{lock.relative_to(ROOT)}: {len(pins)} packages")


if __name__ == "__main__":
    run_main(main)
