"""Install the packages of a lock file with uv, from the indexes and folders in pip's configuration.

PyPI serves a CUDA build of torch, of several gigabytes, under the same version as the CPU build. The locks therefore
name the CPU build (`2.13.0+cpu`) and its hashes, which no file on PyPI matches. It comes from a folder or an index in
pip's configuration, or else from PyTorch's own index. If neither can be reached, TORCH=pypi takes PyPI's build.
"""

import ast
import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

from common import CACHE, DOCKER, SetupError, lock, run, sha256

HOST_LOCK = DOCKER / "host.lock"
BOX_LOCK = DOCKER / "box.lock"  # a subset of host.lock
PYPI_TORCH_LOCK = DOCKER / "torch-pypi.lock"  # torch as PyPI serves it, and what it needs beyond host.lock
UV_LOCK = DOCKER / "uv.lock"

# The Python of a box and its C library, which docker/Dockerfile's base and the stand-in both have.
BOX_PYTHON = "3.11"
BOX_PLATFORM = f"{platform.machine()}-manylinux_2_36"
FOR_BOX = ("--python-version", BOX_PYTHON, "--python-platform", BOX_PLATFORM)

# The names of pip's settings, and their options in uv.
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
NETWORK = "check the network, or set an index that you can reach with `pip config set global.index-url …`"
NO_TORCH = f"""cannot get the CPU build of torch for Python {{python}} on {platform.machine()}.
  PyTorch's index does not answer, and no folder of wheels has it. Download its wheel for this Python and machine from
  https://download.pytorch.org/whl/cpu/torch/ where you can, and point pip to its folder:
  `pip config set global.find-links FOLDER`"""
OTHER_TORCH = """
  Or take another Python for which you have the wheel: `make setup PYTHON=python3.11`
  Or take the CUDA build that PyPI serves: `make setup TORCH=pypi`. It also runs on the CPU. With the libraries that it
  needs, it is 3 GB to download and 5 GB on disk. Containers always have the CPU build."""


@cache
def bootstrap() -> Path:
    """Return the folder of an environment that holds pip and the pinned uv. Make it if it is missing."""
    folder = CACHE / f"uv-{sha256(UV_LOCK)[:12]}"
    with lock("uv"):
        if not (folder / ".complete").exists():
            run(
                *(sys.executable, "-m", "venv", "--clear", folder),
                advice="cannot make an environment: on Debian or Ubuntu, "
                f"`apt-get install python3.{sys.version_info.minor}-venv` first",
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
    """Return the options that let uv search the same indexes and folders as pip."""
    settings = pip_settings()
    options = [text for key, name in OPTIONS.items() for value in settings.get(key, ()) for text in (name, value)]
    no_index = ["--no-index"] if settings.get("no-index", ["0"])[0].lower() in ("1", "true", "yes", "on") else []
    # pip takes the best match of all indexes. That is safe: the lock names the hash of each file.
    return [*options, *no_index, "--index-strategy", "unsafe-best-match"]


def uv(*arguments: str | Path, advice: str) -> str:
    """Run uv with the certificates of pip's configuration."""
    defaults = {"UV_CACHE_DIR": str(CACHE / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
    defaults |= zip(["SSL_CERT_FILE"], pip_settings().get("cert", []), strict=False)
    return run(bootstrap() / "bin" / "uv", *arguments, advice=advice, env=defaults | os.environ)


def uv_pip(verb: str, *arguments: str | Path, advice: str) -> None:
    """Run a verb of `uv pip` that reads indexes. Use PyTorch's index only if no other place has the CPU build."""
    command = ("pip", verb, *index_options(), *arguments)
    try:
        uv(*command, advice=f"{advice}: {NETWORK}")
    except SetupError as error:
        if "+cpu" not in str(error):
            raise
        for_box = FOR_BOX[0] in arguments
        missing = NO_TORCH.format(python=BOX_PYTHON if for_box else platform.python_version())
        uv(*command, "--torch-backend", "cpu", advice=missing if for_box else missing + OTHER_TORCH)


def install(environment: Path, lock_file: Path, *options: str) -> None:
    """Install the packages of a lock file into an environment.

    Args:
        environment: the folder of the environment.
        lock_file: the lock file.
        options: more options for `uv pip install`: `--exact` removes packages that the lock file does not name, and
            `FOR_BOX` takes the files for the box's Python instead of those for the environment's Python.
    """
    # One package ships no wheel. It is built with the setuptools of the lock.
    hashed: list[str | Path] = ["--require-hashes", "--no-deps", "--build-constraints", lock_file]
    where: list[str | Path] = ["--python", environment, "--requirement", lock_file]
    with lock("packages"):  # so that two processes do not download the same files
        uv_pip("install", *hashed, *where, *options, advice=f"cannot install the packages of {lock_file.name}")


def entries(lock_file: Path) -> dict[str, str]:
    """Return the entry of each package in a lock file: a line that names it, and the indented lines below."""
    found = re.finditer(r"^([a-z0-9-]+)==.*\n(?: .*\n)*", lock_file.read_text(), re.MULTILINE)
    return {entry[1]: entry[0] for entry in found}


def with_wanted_torch(lock_file: Path) -> Path:
    """Return the lock file, or a copy with PyPI's torch instead of the CPU build if TORCH=pypi is set.

    Raises:
        SetupError: if the variable TORCH is neither empty nor `pypi`.
    """
    wanted = os.environ.get("TORCH", "")
    if not wanted:
        return lock_file
    if wanted != "pypi":
        raise SetupError(
            f"TORCH={wanted} is not known: TORCH=pypi takes PyPI's CUDA build. Without TORCH, the CPU build is taken"
        )
    changed = CACHE / f"{lock_file.stem}-pypi.lock"
    changed.write_text("".join((entries(lock_file) | entries(PYPI_TORCH_LOCK)).values()))
    return changed
