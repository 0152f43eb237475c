"""The pinned image: its tag, what is sent to the build, and what a hardened box finds in it."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import image
import pytest
from common import DOCKER, sha256
from packages import BOX_LOCK


def test_the_tag_is_made_of_dockerfile_and_lock() -> None:
    content = (DOCKER / "Dockerfile").read_bytes() + BOX_LOCK.read_bytes()
    assert image.image_tag() == f"pinbox:{hashlib.sha256(content).hexdigest()[:12]}"


def context(packages: Path) -> bytes:
    stream = io.BytesIO()
    image.send_context(stream, packages)
    return stream.getvalue()


def test_the_context_holds_the_dockerfile_and_the_packages(tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "__init__.py").touch()
    with tarfile.open(fileobj=io.BytesIO(context(tmp_path))) as tar:
        assert tar.getnames() == [
            "Dockerfile",
            "site-packages",
            "site-packages/thing",
            "site-packages/thing/__init__.py",
        ]


def test_the_same_packages_give_the_same_context(tmp_path: Path) -> None:
    module = tmp_path / "thing.py"
    module.write_text("x = 1\n")
    first = context(tmp_path)
    module.chmod(0o600)
    os.utime(module, (1, 1))
    os.link(module, tmp_path.parent / "same")  # as uv does it: the file is also in its cache
    assert context(tmp_path) == first


def test_without_an_engine_it_says_so_or_is_quiet_when_asked(tmp_path: Path) -> None:
    script = [sys.executable, str(DOCKER / "image.py")]
    nowhere = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    plain = subprocess.run(script, env=nowhere, capture_output=True, text=True)
    quiet = subprocess.run([*script, "--if-engine"], env=nowhere, capture_output=True, text=True)
    assert plain.returncode == 2
    assert plain.stderr.startswith("error: no Docker engine answers")
    assert "docker/engine.sh" in plain.stderr
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.docker
def test_the_labels_name_the_lock_and_the_base() -> None:
    out = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .Config}}", image.image_tag()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    config = json.loads(out)
    assert config["Labels"]["org.pinbox.lock-sha256"] == sha256(BOX_LOCK)
    assert "sha256:" in config["Labels"]["org.pinbox.base"]
    assert config["User"] == "65534:65534"


@pytest.mark.slow
@pytest.mark.docker
def test_a_hardened_box_imports_every_engine_and_none_of_our_tools() -> None:
    program = (
        "import importlib.util, sys, os, torch, transformers, onnx, onnxruntime, openvino, nncf, zstandard;"
        "import platform; platform.machine() == 'x86_64' and importlib.import_module('mlperf_loadgen');"
        "print(sys.version_info[:2], os.getuid(), torch.__version__, torch.cuda.is_available(),"
        " [name for name in ('pip', 'hydra', 'pandas', 'runner') if importlib.util.find_spec(name)])"
    )
    hardening = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"]
    hardening += ["--security-opt=no-new-privileges", "--user=65534:65534"]
    done = subprocess.run(
        ["docker", "run", "--rm", *hardening, image.image_tag(), "python", "-c", program],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "(3, 11) 65534 2.13.0+cpu False []", done.stderr
