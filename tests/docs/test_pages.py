"""The documentation holds: generated pages are current, links and anchors lead somewhere, code and commands work."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from docs.generate import pages
from docs.picture import PICTURES, demo_table
from runner.cli.pinbox import pinbox
from runner.results.collect import collect
from tests.results.synthetic import DEMO, write_sweep

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
MAX_README_LINES = 150
MAX_PICTURE_BYTES = 150_000
_BLOCK = re.compile(r"^```(\w*)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(make|pinbox|(\.venv/bin/)?python(3\.11)?) \S")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of code in a language, each without the lines that fence it."""
    return [code for found, _, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command in a page's blocks without a language and within its sentences, with the page's name."""
    for page in PAGES:
        inline = _INLINE.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))
        lines = [line for block in blocks(page, "") for line in block.splitlines()]
        for text in [" ".join(code.split()) for code in inline] + lines:
            for command in re.split(r"  #| && ", text):
                if _COMMAND.match(command.strip()) and " VERB" not in command:
                    yield name_of(page), command.strip()


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_current_and_leave_nothing_unsaid(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run `python -m docs.generate`"
    silent = [line for line in pages()[name].splitlines() if line.endswith("|  |")]
    assert not silent, "a key, a column or a module that says nothing of itself"


def test_the_layout_page_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:runner|conf|docker|docs|hydra_plugins)/[\w./]*)`", text)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_files_that_exist(page: Path) -> None:
    named = re.findall(r"`((?:runner|tests|docker|docs)/[\w./]+)`", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_their_anchors_lead_somewhere(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(\s*([^)\s]+)\s*\)|(?:src|srcset)=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if target.startswith(("http:", "https:")):
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize(
    "page", [page for page in (ROOT / "docs").glob("*.*") if page.suffix in (".md", ".ipynb")], ids=name_of
)
def test_the_index_leads_to_every_page(page: Path) -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert page.name == "README.md" or f"({page.name}" in index


def test_what_a_page_shows_of_a_file_is_that_file() -> None:
    shown = [
        (page, path, code)
        for page in PAGES
        for _, path, code in _BLOCK.findall(page.read_text(encoding="utf-8"))
        if path
    ]
    assert README in [page for page, _, _ in shown]
    for page, path, code in shown:
        assert code in (ROOT / path).read_text(encoding="utf-8"), f"{name_of(page)} shows another {path}"


def test_the_readme_is_short_and_its_pictures_are_small() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_README_LINES
    for path in PICTURES.values():
        assert f'"{path.relative_to(ROOT)}"' in README.read_text(encoding="utf-8")
        assert path.stat().st_size < MAX_PICTURE_BYTES


def test_the_readme_has_the_table_of_the_demo(place: Path) -> None:
    jobs = pq.read_table(place / "outputs" / "demo" / "summary.parquet").to_pylist()
    head, *_ = demo_table(jobs).splitlines()
    table = README.read_text(encoding="utf-8").partition("<!-- table -->\n\n")[2].partition("<!-- /table -->")[0]
    assert table.splitlines()[0] == head
    assert "`torch-eager`" in table


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
    program, *words = shlex.split(line)
    if program == "make":
        for command in commands_of_make(words):
            if command.startswith(".venv/bin/pinbox "):
                assert_understood(shlex.split(command)[1:])
    elif program == "pinbox":
        assert_understood(words)
    elif words[0] == "-m":
        assert words[1] == "pyperf" or find_spec(words[1])
    else:
        exported = ROOT / "runner" / "export" / "templates" / words[0]
        assert (ROOT / words[0]).is_file() or exported.is_file()


def commands_of_make(words: list[str]) -> list[str]:
    """Return what make would run."""
    # Without what make itself gives to what it starts, as when this test runs below `make test`.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment.pop("ARGS", None)  # make hands what it was told on to what it starts
    tried = subprocess.run(["make", "-n", *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    return tried.stdout.splitlines()


def assert_understood(words: list[str]) -> None:
    """Check that a verb of pinbox takes these arguments and options; click raises an error where it does not."""
    verb, *arguments = words
    command = pinbox.commands[verb]
    if arguments and arguments != ["--help"]:  # a sentence may name a verb alone
        command.make_context(verb, arguments)
