"""The stand-in base: the same files give the same bytes and the same id, wherever and whenever."""

import io
import json
import os
import tarfile
from pathlib import Path

import base
import pytest
from common import SetupError, sha256


@pytest.fixture
def root_files(tmp_path: Path) -> Path:
    file = tmp_path / "root.tar"
    with tarfile.open(file, "w") as tar:
        member = tarfile.TarInfo("etc/hostname")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"box\n"))
    return file


def test_packing_twice_gives_the_same_bytes(root_files: Path, tmp_path: Path) -> None:
    base.pack(root_files, tmp_path / "one.tar")
    os.utime(root_files, (1, 1))
    base.pack(root_files, tmp_path / "two.tar")
    assert sha256(tmp_path / "one.tar") == sha256(tmp_path / "two.tar")


def test_the_id_is_the_hash_of_the_config_and_names_the_layer(root_files: Path, tmp_path: Path) -> None:
    archive = tmp_path / "base.tar"
    base.pack(root_files, archive)
    identity, tag, layer = base.describe(archive)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        config = tar.extractfile(names[0])
        assert config is not None
        created = json.load(config)["created"]
    digest = identity.removeprefix("sha256:")
    assert names == [f"{digest}.json", "manifest.json", "layer.tar"]
    assert tag == f"pinbox-base:{digest[:12]}"
    assert layer == f"sha256:{sha256(root_files)}"
    assert created == "2025-09-19T00:00:00Z"


def test_the_public_base_is_pinned_by_digest() -> None:
    assert "@sha256:" in base.public_reference()


def test_without_mmdebstrap_and_without_root_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="apt-get install mmdebstrap"):
        base.bootstrap(tmp_path / "root.tar")
