"""Make docker/host.lock and uv.lock from pyproject.toml, and box.lock from box.in at the versions of host.lock.

python3.11 docker/locks.py              keep what is locked where it still fits
python3.11 docker/locks.py --upgrade    take the newest versions that fit
"""

import sys
from pathlib import Path

from common import ROOT, run_main, say
from packages import BOX_LOCK, HOST_LOCK, UV_LOCK, uv_pip


def main() -> None:
    compile_lock(HOST_LOCK, "pyproject.toml", "--extra", "dev")
    compile_lock(BOX_LOCK, "docker/box.in", "--constraint", HOST_LOCK)
    compile_lock(UV_LOCK, "--group", "setup")


def compile_lock(lock_file: Path, *sources: str | Path) -> None:
    """Lock what the sources ask for. The constraint in pyproject.toml refuses the CUDA build of torch."""
    uv_pip(
        "compile",
        *(*sources, *sys.argv[1:], "--output-file", lock_file, "--generate-hashes"),
        *("--python", sys.executable, "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"),
        *("--custom-compile-command", "python3.11 docker/locks.py"),
        advice=f"cannot make {lock_file.relative_to(ROOT)}",
    )
    count = sum("==" in line for line in lock_file.read_text().splitlines())
    say(f"{lock_file.relative_to(ROOT)}: {count} pins")


if __name__ == "__main__":
    run_main(main)
