"""The pinned image: its tag, what is sent to the build, and what a hardened box finds in it."""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import image
import pytest
from wheelhouse import BOX_LOCK, Pin, wheels_of
from workshop import DOCKER, SetupError, sha256


def test_the_tag_is_made_of_dockerfile_and_lock() -> None:
    content = (DOCKER / "Dockerfile").read_bytes() + BOX_LOCK.read_bytes()
    assert image.image_tag() == f"pinbox:{hashlib.sha256(content).hexdigest()[:12]}"


def test_the_context_holds_only_the_wheels_of_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, other = tmp_path / "a-1-py3-none-any.whl", tmp_path / "a-2-py3-none-any.whl"
    wanted.write_bytes(b"one")
    other.write_bytes(b"two")
    pins = {"a": Pin("a", "1", (sha256(wanted),))}
    monkeypatch.setattr("wheelhouse.WHEELS", tmp_path)
    monkeypatch.setattr("wheelhouse.read_lock", lambda lock: pins)
    context = io.BytesIO()
    image.send_context(context, wheels_of(BOX_LOCK))
    context.seek(0)
    with tarfile.open(fileobj=context) as tar:
        assert tar.getnames() == ["Dockerfile", "box.lock", f"wheels/{wanted.name}"]
    wanted.unlink()
    with pytest.raises(SetupError, match=r"does not match docker/box\.lock.*try again"):
        wheels_of(BOX_LOCK)


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


@pytest.mark.docker
def test_a_hardened_box_imports_every_engine_and_none_of_our_tools() -> None:
    program = (
        "import importlib.util, sys, os, torch, transformers, onnx, onnxruntime, openvino, nncf, zstandard;"
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
