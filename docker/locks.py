"""Make docker/host.lock and uv.lock from pyproject.toml, and box.lock from box.in with the versions of host.lock.

torch-pypi.lock pins the files that PyPI serves for the version of torch in host.lock.

python3 docker/locks.py              keep the locked versions that still fit
python3 docker/locks.py --upgrade    take the newest versions that fit

A lock is for every Python and architecture that Pinbox runs on: it names one version of each package, with the hashes
of all its files. A package that only some of them need has a marker.
"""

import re
import sys
from pathlib import Path

from common import CACHE, DOCKER, OLDEST_PYTHON, ROOT, SetupError, run_main, say
from packages import BOX_LOCK, HOST_LOCK, PYPI_TORCH_LOCK, UV_LOCK, entries, uv_pip

# The files of the CPU build of torch that PyTorch's index lists, in the format of sha256sum.
TORCH_FILES = DOCKER / "torch.sha256"


def main() -> None:
    compile_lock(HOST_LOCK, "pyproject.toml", "--extra", "dev", "--constraint", "docker/torch.in")
    add_torch_hashes(HOST_LOCK)
    compile_lock(BOX_LOCK, "docker/box.in", "--constraint", HOST_LOCK)
    add_torch_hashes(BOX_LOCK)
    compile_lock(UV_LOCK, "--group", "setup")
    lock_pypi_torch()


def compile_lock(lock_file: Path, *sources: str | Path) -> None:
    """Lock the packages that the sources name."""
    uv_pip(
        "compile",
        *(*sources, *sys.argv[1:], "--output-file", lock_file, "--generate-hashes", "--python", sys.executable),
        *("--universal", "--fork-strategy", "fewest", "--python-version", ".".join(map(str, OLDEST_PYTHON))),
        *("--custom-compile-command", "python3 docker/locks.py"),
        advice=f"cannot make {lock_file.relative_to(ROOT)}",
    )
    say(f"{lock_file.relative_to(ROOT)}: {len(entries(lock_file))} pins")


def add_torch_hashes(lock_file: Path) -> None:
    """Write the hashes of all files of torch's CPU build into a lock.

    uv finds only the hashes in the folder or index that it searched, and a folder of wheels may hold a single file.
    """
    entry = entries(lock_file)["torch"]
    version = torch_version(lock_file)
    hashes = [line.split()[0] for line in TORCH_FILES.read_text().splitlines() if f"torch-{version}-" in line]
    found = re.findall(r" +--hash=sha256:(\w+)(?: \\)?\n", entry)
    if not set(found) <= set(hashes):
        raise SetupError(
            f"docker/{TORCH_FILES.name} lacks files of torch {version}: write those for Linux into it, with their "
            "hashes, from https://download.pytorch.org/whl/cpu/torch/"
        )
    lines = " \\\n".join(f"    --hash=sha256:{digest}" for digest in sorted(hashes))
    complete = re.sub(r"(?: +--hash=.*\n)+", lambda _: f"{lines}\n", entry)
    lock_file.write_text(lock_file.read_text().replace(entry, complete))


def torch_version(lock_file: Path) -> str:
    return entries(lock_file)["torch"].split()[0].removeprefix("torch==")


def lock_pypi_torch() -> None:
    """Lock torch as PyPI serves it, with the dependencies that host.lock does not have."""
    host = entries(HOST_LOCK)
    wanted, constraints = CACHE / "torch.in", CACHE / "constraints.txt"
    wanted.write_text(f"torch==={torch_version(HOST_LOCK).partition('+')[0]}\n")
    constraints.write_text("".join(entry for name, entry in host.items() if name != "torch"))
    compile_lock(PYPI_TORCH_LOCK, wanted, "--constraint", constraints)
    found = entries(PYPI_TORCH_LOCK).items()
    kept = [entry for name, entry in found if name == "torch" or name not in host]
    comment = "# Made by docker/locks.py: replaces torch in host.lock, see docker/README.md.\n"
    PYPI_TORCH_LOCK.write_text(comment + "".join(kept))


if __name__ == "__main__":
    run_main(main)
