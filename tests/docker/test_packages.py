"""uv looks where pip would look, and takes the CPU build of torch unless it is asked for another."""

import platform
from pathlib import Path

import packages
import pytest
from common import SetupError, run

from tests.wheels import make_wheel

UV = "#!/bin/sh\necho \"$@\" >>'{log}'\n{body}\n"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a script in the place of uv; return the file in which it notes its arguments."""
    monkeypatch.setattr(packages, "bootstrap", lambda: tmp_path)
    monkeypatch.setattr(packages, "pip_settings", dict)
    monkeypatch.setattr(packages, "CACHE", tmp_path)
    (tmp_path / "bin").mkdir()
    return tmp_path / "calls"


def fake_uv(calls: Path, body: str) -> None:
    program = calls.parent / "bin" / "uv"
    program.write_text(UV.format(log=calls, body=body))
    program.chmod(0o755)


def test_pip_s_settings_become_options(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = (
        ":env:.find-links='/more/wheels'\nglobal.cert='/ca.crt'\nglobal.extra-index-url='file:///a\\nhttps://b/simple'\n"
        "global.find-links='/wheels'\nglobal.index-url='https://mirror/simple'\ninstall.no-index='true'\n"
    )
    monkeypatch.setattr(packages, "bootstrap", lambda: Path("/nowhere"))
    monkeypatch.setattr(packages, "run", lambda *command, advice: listing)
    monkeypatch.setattr(packages, "pip_settings", packages.pip_settings.__wrapped__)
    assert packages.index_options() == [
        *("--default-index", "https://mirror/simple", "--index", "file:///a", "--index", "https://b/simple"),
        *("--find-links", "/more/wheels", "--no-index", "--index-strategy", "unsafe-best-match"),
    ]


def test_a_folder_that_has_torch_spares_asking_pytorch(calls: Path) -> None:
    fake_uv(calls, "exit 0")
    packages.uv_pip("install", "torch", advice="cannot install")
    assert "--torch-backend" not in calls.read_text()


def test_without_the_cpu_build_pytorch_is_asked(calls: Path) -> None:
    refuse = 'echo "no version of torch==2.13.0+cpu" >&2; exit 1'
    fake_uv(calls, f'case "$*" in *--torch-backend*) ;; *) {refuse};; esac')
    packages.uv_pip("install", "torch", advice="cannot install")
    first, second = calls.read_text().splitlines()
    assert second == f"{first} --torch-backend cpu"


def test_without_any_cpu_build_it_stops_and_says_where_one_is(calls: Path) -> None:
    fake_uv(calls, 'echo "no version of torch==2.13.0+cpu" >&2; exit 1')
    with pytest.raises(
        SetupError, match=r"(?s)CPU build of torch.*download\.pytorch\.org.*find-links FOLDER.*TORCH=pypi"
    ):
        packages.uv_pip("install", "torch", advice="cannot install")


def test_other_failures_are_not_blamed_on_torch(calls: Path) -> None:
    fake_uv(calls, 'echo "connection refused" >&2; exit 1')
    with pytest.raises(SetupError, match=r"(?s)cannot install: check the network.*connection refused"):
        packages.uv_pip("install", "click", advice="cannot install")
    assert len(calls.read_text().splitlines()) == 1


def test_the_message_names_the_python_for_which_torch_is_missing(calls: Path, tmp_path: Path) -> None:
    fake_uv(calls, 'echo "no version of torch==2.13.0+cpu" >&2; exit 1')
    with pytest.raises(SetupError, match=f"(?s)for Python {platform.python_version()} on.*TORCH=pypi"):
        packages.install(tmp_path, packages.BOX_LOCK)
    with pytest.raises(SetupError, match=f"for Python {packages.BOX_PYTHON} on") as of_box:
        packages.install(tmp_path, packages.BOX_LOCK, *packages.FOR_BOX)
    assert "make setup" not in str(of_box.value), "no other Python or build would do"


def test_torch_of_pypi_is_taken_only_when_it_is_asked_for(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH", raising=False)
    assert packages.with_wanted_torch(packages.BOX_LOCK) == packages.BOX_LOCK
    monkeypatch.setenv("TORCH", "pypi")
    changed = packages.entries(packages.with_wanted_torch(packages.BOX_LOCK))
    kept = packages.entries(packages.BOX_LOCK)
    assert changed["torch"].startswith("torch==2.13.0 ")
    assert any(name.startswith("nvidia-") for name in changed)
    assert kept.items() - changed.items() == {("torch", kept["torch"])}
    monkeypatch.setenv("TORCH", "cuda")
    with pytest.raises(SetupError, match="TORCH=cuda is not known"):
        packages.with_wanted_torch(packages.BOX_LOCK)


@pytest.mark.package
def test_a_file_that_the_lock_does_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = make_wheel(tmp_path / "wheels", "thing", {"thing.py": b"x = 1\n"})
    monkeypatch.setattr(packages, "index_options", lambda: ["--no-index", "--find-links", str(tmp_path / "wheels")])
    environment, lock = tmp_path / "environment", tmp_path / "box.lock"
    packages.uv("venv", "--quiet", environment, advice="cannot make an environment")
    lock.write_text(f"thing==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SetupError, match=r"(?s)cannot install the packages of box\.lock.*ash"):
        packages.install(environment, lock)
    lock.write_text(f"thing==1.0 --hash=sha256:{digest}\n")
    packages.install(environment, lock)
    assert run(environment / "bin" / "python", "-c", "import thing; print(thing.x)", advice="not there") == "1\n"
