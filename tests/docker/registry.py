"""A registry on this machine, and images that are small enough to push and pull in a test."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.patience import wait_until

CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: {address}}}
"""


def free_address() -> str:
    """An address on this machine where nothing answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry in a folder, and give its address."""
    if shutil.which("docker-registry") is None:
        if os.environ.get("PINBOX_REQUIRE_DOCKER"):
            pytest.fail("docker-registry is not installed, but PINBOX_REQUIRE_DOCKER is set")
        pytest.skip("docker-registry is not installed")
    address = free_address()
    settings = folder / "registry.yml"
    settings.write_text(CONFIG.format(folder=folder / "data", address=address))
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(address, process), "the registry")
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the registry has ended"
    host, _, port = address.partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def load_image(tag: str, architecture: str, labels: dict[str, str], content: bytes) -> str:
    """Give the engine an image of one file, and return its id."""
    layer = tar_of({"content": content})
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    archive = tar_of({"config.json": config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})
    subprocess.run(["docker", "load", "--quiet"], input=archive, check=True, capture_output=True)
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def remove_image(reference: str) -> None:
    """Remove an image and all its names, if it is there."""
    found = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", reference], capture_output=True, text=True
    )
    if found.returncode == 0:
        subprocess.run(["docker", "image", "rm", "--force", found.stdout.strip()], check=True, capture_output=True)
