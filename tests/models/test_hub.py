"""A hub model comes from the local hub cache, or is refused with alternatives."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from runner.config.schema import ModelConfig, SourceConfig, SourceKind
from runner.errors import UserError
from runner.models.hub import newest_commit
from runner.models.source import fetch_model, model_identity
from tests.models.files import write_files

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def _model(hub_id: str | None = "owner/name", revision: str | None = COMMIT) -> ModelConfig:
    source = SourceConfig(kind=SourceKind.hub, hub_id=hub_id, revision=revision)
    return ModelConfig(name="demo", family="demo", source=source)


def _fill(cache: Path, *names: str) -> None:
    snapshot = cache / "models--owner--name" / "snapshots" / COMMIT
    blobs = cache / "models--owner--name" / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir(parents=True)
    for name in names:
        write_files(blobs, name)
        (snapshot / name).symlink_to(blobs / name)


def test_a_filled_cache_needs_no_network(cache: Path, tmp_path: Path) -> None:
    _fill(cache, "config.json", "model.safetensors", "tokenizer.json")
    folder = fetch_model(_model(), tmp_path / "downloads")
    assert folder is not None
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    assert not any(path.is_symlink() for path in folder.iterdir()), "a box cannot follow links out of the folder"
    assert fetch_model(_model(), tmp_path / "downloads") == folder


def test_code_comes_along_only_if_it_is_named(cache: Path, tmp_path: Path) -> None:
    _fill(cache, "config.json", "model.safetensors")
    plain, with_code = _model(), _model()
    with_code.source.code = ["modeling_own.py"]
    first = fetch_model(plain, tmp_path / "downloads")
    with pytest.raises(UserError, match="cannot get owner/name from the hub"):
        fetch_model(with_code, tmp_path / "downloads")
    (cache / "models--owner--name" / "snapshots" / COMMIT / "modeling_own.py").write_text("own = True")
    second = fetch_model(with_code, tmp_path / "downloads")
    assert first is not None
    assert second is not None
    assert (second / "modeling_own.py").is_file()
    assert not (first / "modeling_own.py").exists()
    assert model_identity(plain, tmp_path) != model_identity(with_code, tmp_path)


@pytest.mark.usefixtures("cache")
def test_without_network_the_error_names_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot get owner/name from the hub.*model\.weights=random.*model=folder"):
        fetch_model(_model(), tmp_path)


def test_a_cache_that_lacks_a_part_is_not_taken(cache: Path, tmp_path: Path) -> None:
    _fill(cache, "config.json", "a.safetensors")
    index = cache / "models--owner--name" / "snapshots" / COMMIT / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}')
    with pytest.raises(UserError, match="cannot get owner/name from the hub"):
        fetch_model(_model(), tmp_path)


def test_pickles_in_the_cache_are_not_taken(cache: Path, tmp_path: Path) -> None:
    _fill(cache, "config.json", "pytorch_model.bin")
    with pytest.raises(UserError, match=r"owner/name"):
        fetch_model(_model(), tmp_path)


@pytest.mark.parametrize("revision", [None, "main", "0123"])
def test_the_revision_must_be_a_commit(revision: str | None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source\.revision is '.*', but must be a commit"):
        fetch_model(_model(revision=revision), tmp_path)


def test_the_id_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source\.hub_id is 'None', but must be an owner and a name"):
        model_identity(_model(hub_id=None), tmp_path)


def test_without_the_hub_the_newest_commit_is_the_cache_s(cache: Path) -> None:
    _fill(cache, "config.json", "model.safetensors")
    branches = cache / "models--owner--name" / "refs"
    branches.mkdir()
    (branches / "main").write_text(COMMIT)
    assert newest_commit("owner/name") == COMMIT


def test_a_model_that_is_nowhere_has_no_commit(cache: Path) -> None:
    with pytest.raises(
        UserError, match=r"owner/name cannot be fetched from the hub .* and there is no folder of that name"
    ):
        newest_commit("owner/name")
