"""Publish the pinned image: build it if it is missing, push it, record its digest, and sign the record.

It publishes the image of this machine's architecture. Run it on a machine of each architecture, one after the other,
and copy the files that it writes to the next one: `published.json`, and `published.json.sig` if a key is given.
"""

import argparse
import json
import subprocess
from pathlib import Path
from tempfile import NamedTemporaryFile

import image
import published
from common import SetupError, run, run_main, say
from published import Record, inspect, shown


def publish(tag: str, repository: str, insecure: bool) -> Record:
    """Push the image of this tag, and return the record with its digest and those of the other architectures."""
    published.check_labels(tag)
    architecture = inspect(tag, "{{.Architecture}}")
    before = published.read()
    images = before.images if before and before.repository == repository else {}
    digests = images.get(tag, {}) | {architecture: push(tag, f"{repository}:{version(tag)}-{architecture}")}
    push_index(f"{repository}:{version(tag)}", [f"{repository}@{digest}" for digest in digests.values()], insecure)
    return Record(repository, images | {tag: digests})


def version(tag: str) -> str:
    return tag.partition(":")[2]


def push(tag: str, remote: str) -> str:
    """Push an image, and return its digest in the registry."""
    run("docker", "tag", tag, remote, advice=f"cannot name the image {remote}")
    say(f"publish: pushing {remote}")
    try:
        run("docker", "push", "--quiet", remote, advice=f"cannot push to {remote}: is `docker login` needed?")
        references: list[str] = json.loads(inspect(remote, "{{json .RepoDigests}}"))
    finally:
        run("docker", "image", "rm", "--no-prune", remote, advice=f"cannot remove the name {remote}")
    repository = remote.rpartition(":")[0]
    return next(digest for name, _, digest in (text.partition("@") for text in references) if name == repository)


def push_index(remote: str, references: list[str], insecure: bool) -> None:
    """Push an index of the images of all architectures, so that `docker pull` takes the right one by its tag.

    The client reads each image's manifest back from the registry, by its digest.
    """
    options = ["--insecure"] if insecure else []
    subprocess.run(["docker", "manifest", "rm", remote], capture_output=True)  # a failed push may have left one
    advice = f"cannot push the index {remote}; a registry without TLS needs --insecure"
    run("docker", "manifest", "create", *options, remote, *references, advice=advice)
    run("docker", "manifest", "push", *options, "--purge", remote, advice=advice)
    say(f"publish: {remote} is an index of {len(references)} architecture{'s' if len(references) > 1 else ''}")


def write(record: Record, key: Path | None) -> None:
    """Write the record, and sign it if there is a key."""
    content = json.dumps(record._asdict(), indent=2, sort_keys=True).encode() + b"\n"
    signature = sign(content, key) if key else None
    published.RECORD.write_bytes(content)
    if signature:
        published.SIGNATURE.write_bytes(signature)
    else:
        published.SIGNATURE.unlink(missing_ok=True)


def sign(content: bytes, key: Path) -> bytes:
    done = published.ssh_keygen("sign", "-n", published.NAMESPACE, "-f", str(key), content=content)
    if done.returncode:
        raise SetupError(f"cannot sign with {key}: {done.stderr.decode().strip()}")
    return done.stdout


def check_key(key: Path | None) -> None:
    """Check that an allowed signer has the key, and that there is a key if the project expects a signature."""
    if key is None:
        if published.SIGNERS.exists():
            raise SetupError(f"{shown(published.SIGNERS)} says who must sign the record: give your key with --key FILE")
        return
    with NamedTemporaryFile() as signature:
        signature.write(sign(b"", key))
        signature.flush()
        if published.SIGNERS.exists() and published.signer_of(b"", Path(signature.name), published.SIGNERS) is None:
            raise SetupError(
                f"{shown(published.SIGNERS)} does not name the key {key}: add its public key, or take another key"
            )


def main() -> None:
    parser = argparse.ArgumentParser("docker/publish.py", description="Publish the pinned image.")
    parser.add_argument("repository", help="where to push: HOST/NAME")
    parser.add_argument("--key", type=Path, help="the SSH key that signs the record of what is published")
    parser.add_argument("--insecure", action="store_true", help="the registry has no TLS, like one on this machine")
    arguments = parser.parse_args()
    published.check_repository(arguments.repository)
    check_key(arguments.key)
    tag = image.image_tag()
    identity = image.provide(tag)
    write(publish(tag, arguments.repository, arguments.insecure), arguments.key)
    say(f"publish: {tag} {identity} is published")
    say(f"publish: commit {shown(published.RECORD)}{f' and {published.SIGNATURE.name}' if arguments.key else ''}")


if __name__ == "__main__":
    run_main(main)
