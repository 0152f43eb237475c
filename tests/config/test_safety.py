"""An untrusted YAML file cannot run code or read or change the environment. It is refused before Hydra uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.__main__ import main

CASES = {
    "a class in a group of ours": (["+model._target_=os.system"], "there is no key 'model._target_'"),
    "a class deep within": (["+technique.steps=[{step: onnx-export, _target_: os.system}]"], "_target_"),
    "another launcher": (["hydra.launcher._target_=subprocess.Popen"], "hydra.launcher._target_"),
    "another sweeper": (["hydra.sweeper._target_=subprocess.Popen"], "hydra.sweeper._target_"),
    "a callback": (["+hydra.callbacks.own={_target_: os.system, command: 'true'}"], "hydra.callbacks.own._target_"),
    "our callback's class": (["hydra.callbacks.progress._target_=os.system"], "hydra.callbacks.progress._target_"),
    "the environment changed": (["+hydra.job.env_set.LD_PRELOAD=/tmp/evil.so"], "may not change the environment"),
    "the environment read": (["model.name=${oc.env:HOME}"], "may refer only to other keys"),
    "the environment read deep": (["model.name='x${oc.select:a,${oc.env:HOME}}'"], "may refer only to other keys"),
    "logging": (["hydra/job_logging=stdout"], "hydra.job_logging is set"),
}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """Run a command in this process, check that it is refused with code 2, and return its output."""
    monkeypatch.chdir(Path(__file__).parents[2])

    def run(*overrides: str, options: tuple[str, ...] = ("-m",)) -> str:
        folders = [f"hydra.sweep.dir={tmp_path}/out", f"hydra.run.dir={tmp_path}/out"]
        monkeypatch.setattr("sys.argv", ["pinbox", *options, *folders, "model=tiny", "task=alice", *overrides])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        assert not (tmp_path / "out").exists()
        return " ".join(capsys.readouterr().err.split())

    return run


@pytest.mark.parametrize("options", [(), ("-m",)], ids=["one job", "sweep"])
@pytest.mark.parametrize(("overrides", "message"), CASES.values(), ids=CASES)
def test_is_refused(overrides: list[str], message: str, options: tuple[str, ...], refused: Callable[..., str]) -> None:
    assert message in refused(*overrides, options=options)


def test_a_class_in_a_folder_of_configs_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "evil.yaml").write_text("name: evil\n_target_: os.system\n")
    assert "_target_" in refused("model=evil", options=("-m", "--config-dir", str(tmp_path / "conf")))


TOO_LARGE = {
    "aliases of aliases": (
        "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 64)),
        "values when its aliases",
    ),
    "an alias of itself": ("shape: &a {b: *a}\n", "values when its aliases"),
    "thousands deep": ("shape: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
}


@pytest.mark.parametrize(("content", "message"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_file_that_grows_when_it_is_read_is_refused(
    content: str, message: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "evil.yaml").write_text(f"name: evil\nfamily: evil\n{content}")
    assert message in refused("model=evil", options=("-m", "--config-dir", str(tmp_path / "conf")))


def test_aliases_are_read(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "good.yaml").write_text("name: &name good\nfamily: *name\n")
    output = refused("model=good", "threads=0", options=("-m", "--config-dir", str(tmp_path / "conf")))
    assert "threads is 0" in output


def test_a_grid_cannot_set_hydra_s_own_keys(refused: Callable[..., str]) -> None:
    output = refused("grid=smoke", "grid.union=[{technique: onnx, hydra.job.name: x}]")
    assert "'hydra.job.name' is not a key of a job" in output


NAMES = ["x" * 300, "a\nb", "a\x1b[2Jb", "a\0b", "a\u202eb", "a\tb"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_one_short_line(name: str, refused: Callable[..., str]) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    output = refused(f'technique.name="{quoted}"')
    assert output.isprintable(), "nothing that a terminal acts on is printed"


def test_escapes_are_not_printed(refused: Callable[..., str]) -> None:
    assert "\x1b" not in refused("technique=a\x1b[31mb")
