"""Pull the published image by the digest that docker/publish.py recorded, and check it before it gets its tag.

The record holds one digest for each image tag and architecture. A digest is a hash of the image, so it does not matter
which registry serves it. With a signature of the record, anybody who knows the publisher's key can check who published.
"""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import base
from common import DOCKER, INSTALLED, ROOT, SetupError, run, say, sha256
from packages import BOX_LOCK

RECORD = DOCKER / "published.json"
SIGNATURE = DOCKER / "published.json.sig"
SIGNERS = DOCKER / "allowed_signers"  # as `ssh-keygen` reads it; the project may come with one
NAMESPACE = "pinbox-image"  # a signature that the same key made for another purpose does not count
PULL_SECONDS = 1800  # the image is about 600 MB
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REPOSITORY = re.compile(r"([a-z0-9][a-z0-9.-]*(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*")


class Record(NamedTuple):
    """The repository of the images, and the digest of each image: `images[tag][architecture]`."""

    repository: str
    images: dict[str, dict[str, str]]


def pull(tag: str, repository: str | None, signers: Path | None) -> bool:
    """Pull the published image and give it its tag. If that is not possible, print the reason.

    Args:
        tag: the tag that the image has on this machine.
        repository: where to pull from, instead of the recorded repository.
        signers: the file of the keys that may have signed the record, instead of the project's.

    Returns:
        Whether the image is here now.
    """
    record = read(signers)
    if record is None:
        return build_instead("none is published")
    architecture = run("docker", "version", "--format", "{{.Server.Arch}}", advice="no Docker engine answers").strip()
    digest = record.images.get(tag, {}).get(architecture)
    if digest is None:
        return build_instead(f"no {tag} is published for {architecture}")
    reference = f"{repository or record.repository}@{digest}"
    say(f"image: pulling {reference}")
    start = time.monotonic()
    if problem := base.pull(reference, PULL_SECONDS):
        return build_instead(f"no registry gives it ({problem})")
    say(f"image: pulled, {time.monotonic() - start:.0f} s")
    try:
        check_labels(reference)
    except SetupError:
        subprocess.run(["docker", "image", "rm", reference], capture_output=True)
        raise
    run("docker", "tag", reference, tag, advice=f"cannot give the pulled image the tag {tag}")
    return True


def build_instead(reason: str) -> bool:
    say(f"image: {reason}: building it here")
    return False


def check_settings(repository: str | None, signers: Path | None) -> None:
    if repository:
        check_repository(repository)
    if signers and not signers.is_file():
        raise SetupError(f"there is no file {signers} with the keys that may sign")


def check_repository(repository: str) -> None:
    if not REPOSITORY.fullmatch(repository):
        raise SetupError(
            f"'{repository}' is not the name of a repository. Write HOST/NAME or HOST:PORT/NAME in lower case, without "
            "https://, without a tag and without a digest."
        )


def read(signers: Path | None = None) -> Record | None:
    """Return the record, or None if there is none. If a file names the allowed signers, check the signature."""
    if not RECORD.exists():
        return None
    content = RECORD.read_bytes()
    if signers or SIGNERS.exists():
        say(f"image: {shown(RECORD)} is signed by {verify(content, signers or SIGNERS)}")
    return parse(content)


def parse(content: bytes) -> Record:
    try:
        record = Record(**json.loads(content))
        digests = [digest for image in record.images.values() for digest in image.values()]
        sound = REPOSITORY.fullmatch(record.repository) and all(map(DIGEST.fullmatch, digests))
    except (ValueError, TypeError, AttributeError):
        sound = None
    if not sound:
        raise SetupError(f"{shown(RECORD)} is not a record of docker/publish.py: restore it, or remove it")
    return record


def verify(content: bytes, signers: Path) -> str:
    """Return the name of the signer of this record.

    Raises:
        SetupError: if none of the allowed signers has signed it.
    """
    if not SIGNATURE.exists():
        raise SetupError(f"{shown(RECORD)} is not signed, but {shown(signers)} says who must have signed it")
    signer = signer_of(content, SIGNATURE, signers)
    if signer is None:
        raise SetupError(
            f"no signer that {shown(signers)} allows has signed this {shown(RECORD)}.\n"
            "  Restore it, or remove it: without it, the image is built here."
        )
    return signer


def signer_of(content: bytes, signature: Path, signers: Path) -> str | None:
    """Return the name of the allowed signer who has signed these bytes, or None."""
    files = ("-s", str(signature), "-f", str(signers))
    found = ssh_keygen("find-principals", *files)
    name = found.stdout.decode().partition("\n")[0].partition(",")[0]
    if found.returncode or ssh_keygen("verify", "-n", NAMESPACE, "-I", name, *files, content=content).returncode:
        return None
    return name


def ssh_keygen(*options: str, content: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run `ssh-keygen -Y`, which signs and verifies."""
    try:
        return subprocess.run(["ssh-keygen", "-Y", *options], input=content, capture_output=True)
    except FileNotFoundError:
        raise SetupError("signatures need ssh-keygen: install OpenSSH's client") from None


def check_labels(reference: str) -> None:
    """Check that an image was made from the lock and from a base of this Dockerfile, as its labels say."""
    labels = json.loads(inspect(reference, "{{json .Config.Labels}}")) or {}
    lock, identity = (labels.get(f"org.pinbox.{name}", "") for name in ("lock-sha256", "base"))
    if lock != sha256(BOX_LOCK):
        raise SetupError(
            f"{reference} was not made from the box.lock here: its label org.pinbox.lock-sha256 is '{lock}'"
        )
    if identity != base.public_reference() and not DIGEST.fullmatch(identity):
        raise SetupError(
            f"{reference} was not made from the base that the Dockerfile here names or from a stand-in: its label "
            f"org.pinbox.base is '{identity}'"
        )


def inspect(reference: str, template: str) -> str:
    advice = f"the image {reference} is not there"
    return run("docker", "image", "inspect", "--format", template, reference, advice=advice).strip()


def shown(file: Path) -> str:
    """Return a file's path for messages."""
    return str(file.relative_to(ROOT)) if not INSTALLED and file.is_relative_to(ROOT) else str(file)
