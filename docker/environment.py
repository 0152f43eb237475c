"""Make .venv, the host environment: docker/host.lock to the letter, and Pinbox itself, editable."""

import subprocess
import time

from wheelhouse import HOST_LOCK, LOCKED, PYTHON, fetch, pip
from workshop import ROOT, VENV, one_at_a_time, run_main, say, sha256


def main() -> None:
    wheels = fetch()
    with one_at_a_time("environment"):
        installed = VENV / f".lock-{sha256(HOST_LOCK)[:12]}"
        if not installed.exists():
            start = time.monotonic()
            pip(
                *("install", "--no-index", "--find-links", wheels, "--no-compile", *LOCKED, HOST_LOCK),
                advice="cannot install the packages of docker/host.lock: `make clean` and try again",
            )
            say(f"environment: installed, {time.monotonic() - start:.0f} s")
            start = time.monotonic()
            # On all cores, and now: or else the first trial of a process box would pay for it when importing.
            # Some packages carry files for newer Pythons, so a failure means nothing.
            subprocess.run(
                [PYTHON, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", VENV / "lib"],
                capture_output=True,
            )
            say(f"environment: compiled, {time.monotonic() - start:.0f} s")
            installed.touch()
        # `compat` is a plain path entry: Hydra finds its plugins in a namespace package only that way.
        pip(
            *("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
            *("--config-settings", "editable_mode=compat", "--editable", ROOT),
            advice="cannot install Pinbox itself into .venv: is pyproject.toml in order?",
        )
        (VENV / ".ready").touch()


if __name__ == "__main__":
    run_main(main)
