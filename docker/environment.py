"""Make .venv, the host environment: exactly the packages of docker/host.lock, and an editable install of Pinbox.

It has the Python that runs this script. A .venv of another Python is replaced.
"""

import sys
import time

from common import ROOT, lock, run_main, say
from packages import HOST_LOCK, install, uv, with_wanted_torch

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


def main() -> None:
    start = time.monotonic()
    say("environment: installing, usually half a minute")
    with lock("environment"):
        if not is_of_this_python():
            uv("venv", "--quiet", "--clear", "--python", sys.executable, VENV, advice="cannot make .venv")
        install(VENV, with_wanted_torch(HOST_LOCK), "--exact")
        # `compat` writes a plain path entry. Without it, Hydra does not find its plugins in a namespace package.
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


if __name__ == "__main__":
    run_main(main)
