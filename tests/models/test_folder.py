"""A local model folder is used as it is, or refused with what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.config.schema import ModelConfig, SourceConfig, SourceKind
from runner.errors import UserError
from runner.models import folder
from runner.models.source import fetch_model, model_identity, readable_by_a_box
from tests.models.files import write_files


def _model(path: Path | str | None) -> ModelConfig:
    source = SourceConfig(kind=SourceKind.folder)
    return ModelConfig(name="folder", family="folder", source=source, path=str(path) if path else None)


def test_a_good_folder_is_used_as_it_is(tmp_path: Path) -> None:
    write_files(tmp_path, "config.json", "model.safetensors", "pytorch_model.bin")
    assert fetch_model(_model(tmp_path), Path("unused")) == tmp_path


@pytest.mark.skipif(os.getuid() != 0, reason="only root's boxes run as somebody else")
def test_files_that_only_their_owner_can_read_are_copied_for_root_s_boxes(tmp_path: Path) -> None:
    files, copy = tmp_path / "files", tmp_path / "copy"
    files.mkdir()
    write_files(files, "config.json", "model.safetensors")
    assert readable_by_a_box(files, copy) == files
    (files / "model.safetensors").chmod(0o600)  # save_pretrained writes it with this mode
    assert readable_by_a_box(files, copy) == copy
    assert (copy / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert (copy / "model.safetensors").read_bytes() == (files / "model.safetensors").read_bytes()


def test_the_identity_follows_the_content(tmp_path: Path) -> None:
    write_files(tmp_path, "config.json", "model.safetensors")
    before = model_identity(_model(tmp_path), Path("unused"))
    (tmp_path / "config.json").write_text('{"model_type": "other"}')
    assert model_identity(_model(tmp_path), Path("unused")) != before


def test_no_path() -> None:
    with pytest.raises(UserError, match=r"model\.path is not set\. Name the folder: model\.path="):
        fetch_model(_model(None), Path("unused"))


def test_a_missing_folder() -> None:
    with pytest.raises(UserError, match=r"model\.path is /no/such, but there is no such folder"):
        fetch_model(_model("/no/such"), Path("unused"))


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, "config.json", "model.safetensors")
    # Root may read everything, so the system's answer is replaced.
    monkeypatch.setattr(folder.os, "access", lambda path, mode: os.fspath(path).endswith(("json", tmp_path.name)))
    with pytest.raises(UserError, match=r"model\.path: .*model\.safetensors cannot be read\. Give this user"):
        fetch_model(_model(tmp_path), Path("unused"))


def test_no_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no config\.json\. Take a folder that `save_pretrained`"):
        fetch_model(_model(write_files(tmp_path, "model.safetensors")), Path("unused"))


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_pickle_is_refused(pickle: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{pickle}, a pickle, but no safetensors\. .*call save_pretrained"):
        fetch_model(_model(write_files(tmp_path, "config.json", pickle)), Path("unused"))


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no weights\. Add model\.safetensors"):
        fetch_model(_model(write_files(tmp_path, "config.json")), Path("unused"))
