"""The documentation holds: generated pages are current, links lead somewhere, code and commands work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs.generate import pages
from runner.cli.pinbox import pinbox
from runner.results.collect import collect
from tests.results.synthetic import DEMO, write_sweep

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command line of a page's blocks without a language, with the page's name; comments are cut off."""
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.splitlines():
                for command in line.partition("  #")[0].split(" && "):
                    if re.match(r"(make|(\.venv/bin/)?(python -m|pinbox)) ", command):
                        yield page.name, command.strip()


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_current_and_leave_nothing_unsaid(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run `python -m docs.generate`"
    silent = [line for line in pages()[name].splitlines() if line.endswith("|  |")]
    assert not silent, "a key, a column or a module that says nothing of itself"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with outputs/demo, as after `make sweep`."""
    folder = tmp_path_factory.mktemp("docs")
    collect(write_sweep(folder / "outputs" / "demo", DEMO))
    return folder


def python_blocks() -> list[tuple[str, str]]:
    return [(page.name, code) for page in PAGES for code in blocks(page, "python") if "import" in code]


@pytest.mark.parametrize(("page", "code"), python_blocks(), ids=lambda text: text[:20])
def test_python_blocks_that_stand_alone_run(
    page: str, code: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    exec(compile(code, page, "exec"), {"__name__": "__main__"})


def test_the_notebook_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    cells = json.loads((ROOT / "docs" / "sweep.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "sweep.ipynb", "exec"), names)
    assert names["flips"] is not None


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_exist(page: str, line: str) -> None:
    words = shlex.split(line)
    if words[0].endswith("python"):
        assert find_spec(words[2]), line
        return
    if words[0].endswith("pinbox"):
        is_understood(words[1:])
        return
    # Without what make itself gives to what it starts, as when this test runs below `make test`.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    tried = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    for command in tried.stdout.splitlines():
        if command.startswith(".venv/bin/pinbox "):
            is_understood(shlex.split(command)[1:])


def is_understood(words: list[str]) -> None:
    """Check that a verb of pinbox takes these arguments and options; click raises an error where it does not."""
    verb, *arguments = words
    pinbox.commands[verb].make_context(verb, arguments)
