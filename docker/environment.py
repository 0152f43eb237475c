"""Make .venv, the host environment: exactly the packages of docker/host.lock, and Pinbox itself, editable.

It has the Python that runs this script. A .venv of another Python is made anew.
"""

import subprocess
import sys
import time

from common import ROOT, lock, run_main, say, sha256
from packages import BOX_LOCK, HOST_LOCK, install, uv, with_wanted_torch

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def main() -> None:
    start = time.monotonic()
    with lock("environment"):
        box_lock, host_lock = map(with_wanted_torch, (BOX_LOCK, HOST_LOCK))
        compiled = VENV / f".compiled-{sha256(box_lock)[:12]}"
        if not is_of_this_python():
            uv("venv", "--quiet", "--clear", "--python", sys.executable, VENV, advice="cannot make .venv")
        if not compiled.exists():
            install(VENV, box_lock)
            compile_bytecode()
            compiled.touch()
        install(VENV, host_lock, "--exact")
        # `compat` is a plain path entry: Hydra finds its plugins in a namespace package only that way.
        uv(
            *("pip", "install", "--python", VENV, "--offline", "--no-deps", "--no-build-isolation"),
            *("--config-setting", "editable_mode=compat", "--editable", ROOT),
            advice="cannot install Pinbox itself into .venv: is pyproject.toml in order?",
        )
        (VENV / ".ready").touch()
    say(f"environment: ready, {time.monotonic() - start:.0f} s")


def is_of_this_python() -> bool:
    """Return whether .venv is there and has the minor version of the Python that runs this script."""
    return (VENV / "lib" / f"python3.{sys.version_info.minor}").exists() and PYTHON.exists()


def compile_bytecode() -> None:
    """Compile what boxes import, on all cores. Otherwise the first trial of a process box would do so, and be slow."""
    # Some packages carry files for newer Pythons, so a failure means nothing.
    subprocess.run(
        [PYTHON, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", VENV / "lib"],
        capture_output=True,
    )


if __name__ == "__main__":
    run_main(main)
