"""The base image: the public one that docker/Dockerfile pins by digest, or a stand-in built here.

The stand-in is Debian's own Python 3.11. mmdebstrap puts it together, and it is packed so that the same Debian packages
give the same image id, byte for byte. The versions of the packages are those that Debian serves on that day.
"""

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from common import CACHE, DOCKER, EPOCH, MACHINES, SetupError, run, say, sha256

PACKAGES = ("python3", "python3-venv", "libgomp1", "libstdc++6")


class Base(NamedTuple):
    """The base image that the Dockerfile starts from, and its identity, which a label of the built image records."""

    reference: str
    identity: str


def obtain() -> Base:
    public = public_reference()
    if problem := pull(public):
        say(f"base: no registry answers ({problem}): building a stand-in from Debian packages, about a minute")
        return stand_in()
    return Base(public, public)


def public_reference() -> str:
    match = re.search(r"^ARG BASE_IMAGE=(\S+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    assert match, "docker/Dockerfile names its base"
    return match[1]


def pull(reference: str, seconds: int = 300) -> str | None:
    """Pull an image unless it is already here. Return the reason if that fails, or else None."""
    if subprocess.run(["docker", "image", "inspect", reference], capture_output=True).returncode == 0:
        return None
    try:
        done = subprocess.run(["docker", "pull", "--quiet", reference], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not done in {seconds} s"
    return None if done.returncode == 0 else done.stderr.strip().rpartition(": ")[2] or "unknown error"


def stand_in() -> Base:
    """Build the stand-in once, keep it in the cache, and load it into the engine."""
    archive = CACHE / "base.tar"
    if not archive.exists():
        start = time.monotonic()
        root_files = CACHE / "base-root.tar"
        bootstrap(root_files)
        pack(root_files, archive)
        root_files.unlink()
        say(f"base: built, {time.monotonic() - start:.0f} s")
    identity, tag, layer = describe(archive)
    run(
        *("docker", "load", "--quiet", "--input", archive),
        advice=f"cannot load the base image: `rm {archive}` and try again",
    )
    loaded = run(
        *("docker", "image", "inspect", "--format", '{{join .RootFS.Layers " "}}', tag),
        advice=f"the base {tag} is not there",
    )
    if loaded.split() != [layer]:
        raise SetupError(f"the engine's {tag} is not what {archive} holds: `docker image rm {tag}` and try again")
    return Base(tag, identity)


def bootstrap(root_files: Path) -> None:
    """Write a minimal Debian with Python to a tar file. The same packages give the same bytes."""
    if shutil.which("mmdebstrap") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise SetupError(
                "no registry answers, and building the base here needs mmdebstrap, which is not installed.\n"
                "  On Debian or Ubuntu: `sudo apt-get install mmdebstrap`, then repeat the command.\n"
                f"  Elsewhere: pull or load {public_reference()}"
            )
        say("base: installing mmdebstrap (apt-get)")
        noninteractive = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", advice="cannot read Debian's package lists", env=noninteractive)
        run(
            *("apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"),
            advice="cannot install mmdebstrap",
            env=noninteractive,
        )
    partial = root_files.with_suffix(".partial.tar")
    run(
        *("mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"),
        *(f"--include={','.join(PACKAGES)}", "bookworm", partial),
        advice="cannot build the base image: does a Debian mirror answer?",
        env=os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)},
    )
    partial.rename(root_files)


def pack(root_files: Path, archive: Path) -> None:
    """Wrap a root file system as a docker-archive. The same files give the same id."""
    created = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = json.dumps(
        {
            "architecture": MACHINES[platform.machine()],
            "os": "linux",
            "created": created,
            "config": {"Cmd": ["python3"], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(root_files)}"]},
            "history": [{"created": created, "created_by": "mmdebstrap"}],
        },
        sort_keys=True,
    ).encode()
    identity = hashlib.sha256(config).hexdigest()
    tag = f"pinbox-base:{identity[:12]}"
    manifest = json.dumps([{"Config": f"{identity}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    partial = archive.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar, root_files.open("rb") as layer:
        files: list[tuple[str, int, IO[bytes]]] = [
            (f"{identity}.json", len(config), io.BytesIO(config)),
            ("manifest.json", len(manifest), io.BytesIO(manifest)),
            ("layer.tar", root_files.stat().st_size, layer),
        ]
        for name, size, content in files:
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, content)
    partial.rename(archive)


def describe(archive: Path) -> tuple[str, str, str]:
    """Return the image id, the tag and the layer digest of a docker-archive made by `pack`."""
    with tarfile.open(archive) as tar:
        config, manifest = (json.load(tar.extractfile(name) or io.BytesIO()) for name in tar.getnames()[:2])
    (image,) = manifest
    return f"sha256:{image['Config'].removesuffix('.json')}", image["RepoTags"][0], config["rootfs"]["diff_ids"][0]
