"""Install what a lock file names, with uv, from the indexes and folders that pip is configured with.

PyPI serves a CUDA build of torch, of several gigabytes, under the same number as the CPU build. The locks therefore
name the CPU build (`2.13.0+cpu`) and its hash, which nothing on PyPI can match. It comes from a folder or an index in
pip's configuration, or else from PyTorch's own index.
"""

import ast
import os
import sys
from functools import cache
from pathlib import Path

from common import CACHE, DOCKER, SetupError, lock, run, sha256

HOST_LOCK = DOCKER / "host.lock"
BOX_LOCK = DOCKER / "box.lock"  # a subset of host.lock
UV_LOCK = DOCKER / "uv.lock"

# What the settings of pip are called in uv.
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
NETWORK = "check the network, or set an index that you can reach with `pip config set global.index-url …`"
NO_TORCH = """cannot get the CPU build of torch: PyTorch's index does not answer, and no folder of wheels has it.
  (The build on PyPI is for CUDA and will not do.) Download the wheel of the version in docker/host.lock from
  https://download.pytorch.org/whl/cpu where you can, and point pip to its folder:
  `pip config set global.find-links FOLDER`"""


@cache
def bootstrap() -> Path:
    """Return the folder of an environment that holds pip and the pinned uv. Make it if it is missing."""
    folder = CACHE / f"uv-{sha256(UV_LOCK)[:12]}"
    with lock("uv"):
        if not (folder / ".complete").exists():
            run(
                *(sys.executable, "-m", "venv", "--clear", folder),
                advice="cannot make an environment: on Debian or Ubuntu, `apt-get install python3.11-venv` first",
            )
            run(
                *(folder / "bin" / "pip", "install", "--quiet", "--require-hashes", "--requirement", UV_LOCK),
                advice=f"cannot install uv: {NETWORK}",
            )
            (folder / ".complete").touch()
    return folder


@cache
def pip_settings() -> dict[str, list[str]]:
    """Return the values of each setting of pip, from its files and from variables like PIP_FIND_LINKS."""
    listing = run(bootstrap() / "bin" / "pip", "config", "list", advice="cannot read the configuration of pip")
    entries = [line.partition("=") for line in listing.splitlines()]
    settings: dict[str, list[str]] = {}
    for section in ("global.", "install.", ":env:."):  # the later overrides the earlier, as in pip
        for key, _, value in entries:
            if key.startswith(section):
                settings[key.removeprefix(section)] = ast.literal_eval(value).split()
    return settings


def index_options() -> list[str]:
    """Return the options that let uv look where pip would look."""
    settings = pip_settings()
    options = [text for key, name in OPTIONS.items() for value in settings.get(key, ()) for text in (name, value)]
    no_index = ["--no-index"] if settings.get("no-index", ["0"])[0].lower() in ("1", "true", "yes", "on") else []
    # pip takes the best match of all indexes. That is safe: the lock names the hash of each file.
    return [*options, *no_index, "--index-strategy", "unsafe-best-match"]


def uv(*arguments: str | Path, advice: str) -> str:
    """Run uv, with the certificates that pip is configured with."""
    defaults = {"UV_CACHE_DIR": str(CACHE / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    defaults |= zip(["SSL_CERT_FILE"], pip_settings().get("cert", []), strict=False)
    return run(bootstrap() / "bin" / "uv", *arguments, advice=advice, env=defaults | os.environ)


def uv_pip(verb: str, *arguments: str | Path, advice: str) -> None:
    """Run a verb of `uv pip` that reads indexes. It asks PyTorch's index only if the CPU build is nowhere else."""
    command = ("pip", verb, *index_options(), *arguments)
    try:
        uv(*command, advice=f"{advice}: {NETWORK}")
    except SetupError as error:
        if "+cpu" not in str(error):
            raise
        uv(*command, "--torch-backend", "cpu", advice=NO_TORCH)


def install(environment: Path, lock_file: Path, *, exact: bool = False) -> None:
    """Install what a lock file names into an environment. With `exact`, remove everything else."""
    # One package ships no wheel. It is built with the setuptools of the lock.
    options: list[str | Path] = ["--require-hashes", "--no-deps", "--build-constraints", lock_file]
    options += ["--python", environment, "--requirement", lock_file]
    if exact:
        options.append("--exact")
    with lock("packages"):  # so that two processes do not download the same files
        uv_pip("install", *options, advice=f"cannot install the packages of docker/{lock_file.name}")
