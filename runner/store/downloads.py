"""Download archives of pinned Python packages with pip, and keep them under the hash of their content."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from runner.errors import UserError

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_HASH = re.compile(r"[0-9a-f]{64}")
_SECONDS = 30  # pip's timeout; with its defaults, pip would try for minutes


def archive(requirement: str, sha256: str, downloads: Path, *, where: str, sdist: bool = False) -> Path:
    """Return the archive of a package, a wheel or a source distribution. The network is used only the first time.

    Args:
        requirement: the name and the exact version, such as vaderSentiment==3.3.2.
        sha256: the hash of the archive. pip refuses any other archive before it opens it.
        downloads: the folder that keeps archives.
        where: the key that names the package, for errors.
        sdist: whether to take the source distribution instead of a wheel. pip runs its set-up code, so this is only for
            Pinbox's own pins.

    Raises:
        UserError: if the pin is not exact, or if the archive cannot be downloaded.
    """
    check_pin(requirement, sha256, where)
    path = downloads / "packages" / sha256
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fetched = _pip_download(requirement, sha256, Path(folder), where, sdist)
        if _sha256(fetched) != sha256:
            raise UserError(
                f"{where}: the archive of {requirement} does not have the pinned sha256 {sha256}. Correct the pin."
            )
        fetched.rename(path)
    return path


def check_pin(requirement: str, sha256: str, where: str) -> None:
    """Check that a package is pinned by version and by hash.

    Raises:
        UserError: if it is not. The message names the key and the required form.
    """
    if not _REQUIREMENT.fullmatch(requirement):
        raise UserError(f"{where}: '{requirement}' must name one exact version, such as vaderSentiment==3.3.2.")
    if not _HASH.fullmatch(sha256):
        raise UserError(f"{where}: sha256 of {requirement} must be 64 hexadecimal digits, but is '{sha256}'.")


def _pip_download(requirement: str, sha256: str, folder: Path, where: str, sdist: bool) -> Path:
    pins = folder / "requirements.txt"
    pins.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--retries", "1", "--timeout", str(_SECONDS), "--dest", str(folder / "archive")]
    if sdist:
        command += ["--no-binary", requirement.partition("==")[0]]
    else:
        command += ["--only-binary", ":all:"]  # pip runs the code of a source distribution to inspect it
    result = subprocess.run([*command, "--requirement", str(pins)], capture_output=True, text=True)
    files = list((folder / "archive").glob("*"))
    if result.returncode != 0 or len(files) != 1:
        raise UserError(
            f"{where}: cannot download the package {requirement}: {_reason(result.stderr)} Run it once while a package "
            f"index can be reached (see `pip config list`). Packages in the downloads folder are not downloaded again."
        )
    return files[0]


def _reason(log: str) -> str:
    """Return pip's last error line as a sentence."""
    errors = [line for line in log.splitlines() if line.startswith("ERROR:")]
    lines = errors or log.strip().splitlines() or ["pip gave no reason"]
    return lines[-1].removeprefix("ERROR:").strip().rstrip(".") + "."


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
