"""The page docs/layout.md, from the docstrings of rooms and files and from the layers in pyproject.toml."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
_TOP = {
    "conf/": "everything that a user edits, one folder for each group of settings",
    "runner/": "the package, in the rooms below",
    "hydra_plugins/": "what Hydra finds by itself: the search path, the sweeper and the Slurm launcher",
    "docker/": "the image that boxes run, the lock files, and the scripts that set up an environment",
    "docs/": "these pages; `generate.py` writes those that follow from the code",
    "tests/": "mirrors `runner/`; some of its folders are commands too",
    "outputs/": "sweeps and the artifact store; not in git",
}
#: What a person wants to change, and the files where they do it, the first one first.
_WHERE = (
    (
        "a technique",
        "`conf/technique/`: a chain of steps is one YAML file. A new step is one Python file in the folder of its kind "
        "below `runner/techniques/`, named as the step is.",
    ),
    (
        "a column of the tables",
        "`runner/results/records/`: a field of a record is a column. Set it where it is measured: in a box in "
        "`runner/trial/`, over several trials in `runner/results/summary.py`.",
    ),
    ("a column of the report's table", "`runner/report/columns.py`"),
    ("a chart", "`runner/report/charts/`, one file for each; `runner/report/html.py` says which ones a page shows."),
    ("a limit of `recommend`", "`runner/recommend/limits.py`"),
    (
        "how a box is pinned",
        "`runner/isolation/docker.py` for containers and `runner/isolation/process.py` for processes; "
        "`runner/machine/topology.py` chooses the cores.",
    ),
    (
        "a verdict's rule",
        "`runner/results/statistics.py`, the function `verdict`; for the quality, `runner/results/non_inferiority.py`; "
        "for a diff, `runner/diff/change.py`.",
    ),
    (
        "how a capacity is found",
        "`runner/sweep/load/capacity.py` chooses the rates; `runner/trial/service.py` and `runner/trial/generator.py` "
        "are the service and the load.",
    ),
    ("an option of the command line", "`runner/cli/`, one file for each verb"),
    (
        "an error message",
        "the file that raises it. For a key or a name in YAML that is `runner/config/messages.py` or "
        "`runner/config/schema.py` or a file beside it; for a job that cannot run, `runner/sweep/validation.py`.",
    ),
    ("the split of the tweets", "`runner/tasks/tweets.py`; `runner/tasks/split.py` keeps near-duplicates together."),
    (
        "a server's export layout",
        "`runner/export/layouts/`, one file for each; `runner/export/layouts/layout.py` is the contract. "
        "`runner/export/templates/` holds the parts of `predict.py`.",
    ),
    (
        "the Slurm job's options",
        "`conf/hydra/launcher/slurm.yaml`; `runner/sweep/cluster/slurm.py` submits the jobs.",
    ),
    (
        "the report's first screen",
        "`runner/report/templates/report.html`; `runner/report/view.py` chooses the answers that it shows.",
    ),
    ("an engine", "`runner/engines/`, one file for each; `runner/engines/engine.py` is the contract."),
    ("where models or texts come from", "`runner/models/` and `runner/tasks/`, one file for each source"),
    ("how many rounds, and how long", "`conf/measure/`; `runner/sweep/rounds.py` decides when a sweep has enough."),
    ("which jobs a grid gives", "`hydra_plugins/pinbox_sweeper/sweeper.py`; `runner/sweep/jobs.py` orders the trials."),
    ("which rounds are disturbed", "`runner/results/rounds.py`"),
    ("the timed calls", "`runner/trial/timing.py`; `runner/trial/turns.py` alternates them with the partner's."),
    ("what the control tolerates", "`runner/sweep/control/compare.py`"),
    ("a name in a sweep's folder", "`runner/store/sweep_folder.py`"),
    ("when an artifact is made again", "`runner/sweep/prepare.py`; `runner/store/source_code.py` hashes the code."),
    ("what is in the image", "`docker/box.in` and `docker/Dockerfile`"),
    ("the example that `pinbox init` writes", "`runner/cli/init/example/`"),
    (
        "what `pinbox try` takes for the texts and the labels",
        "`runner/sweep/tryout/guess.py`; `runner/sweep/tryout/grid.py` chooses what runs in the time that there is.",
    ),
    ("the model card of an exported variant", "`runner/export/card.py`"),
)
#: Files that cannot describe themselves.
_ABOUT = {
    "report/templates/report.html": "The report's page, from the first screen to the last section.",
    "report/templates/report.css": "The look of the report.",
    "report/templates/recommend.html": "The section in which limits are sliders.",
    "report/templates/recommend.css": "The look of that section.",
    "diff/templates/diff.html": "The page of a diff.",
    "diff/templates/diff.css": "What a diff adds to the look of the report.",
}
#: Folders whose files are parts of one thing; the page names the folder and not each file.
_WHOLE = {
    "cli/init/example": "The example that `pinbox init` writes.",
    "cli/init/code_example": "The example that `pinbox init --code` writes: a step, an engine, a task and a metric.",
    "export/templates": "The parts of an exported `predict.py`: its inputs, its outputs and each engine's loading.",
}
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z`\"])")


def layout_page() -> str:
    """Return docs/layout.md."""
    return "\n".join(
        [
            "# Where things are",
            "",
            "`python -m docs.generate` writes this page from the docstrings of the code.",
            "",
            "Data flows one way: a grid is composed into jobs, each job is prepared (its artifact is made), trials run "
            "in boxes and write files, the files are collected into tables, and the report, `recommend`, `diff` and "
            "`export` read the tables.",
            *_table("Top level", ("place", "what it is"), ((f"`{name}`", about) for name, about in _TOP.items())),
            *_table("Where would I change this?", ("what you want to change", "where"), _WHERE),
            "",
            "## The rooms of runner/, in layers",
            "",
            "A room may use the rooms below it, and never one above it. `make lint` checks this.",
            "",
            "| room | what it is for |",
            "|---|---|",
            *(_row((f"[`{room}`](#runner{room})", _docstring(folder))) for room, folder in _rooms()),
            "",
            "Beside the rooms lie three files: "
            + " ".join(f"`{path.name}`: {first_sentence(path)}" for path in _loose_files()),
            *(line for room, folder in _rooms() for line in _room(f"runner/{room}/", folder)),
            *_table("conf/", ("group", "what it chooses"), _conf_groups()),
            *_table("hydra_plugins/", ("file", "what it does"), _files(ROOT / "hydra_plugins", ROOT / "hydra_plugins")),
            *_table("docker/", ("file", "what it does"), _files(ROOT / "docker", ROOT / "docker")),
            *_table("tests/", ("command", "what it does"), _test_commands()),
            "",
        ]
    )


def first_sentence(path: Path) -> str:
    """Return the first sentence with which a file describes itself; empty if it does not."""
    if path.suffix == ".py":
        about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    elif path.suffix == ".js":
        lines = path.read_text(encoding="utf-8").splitlines()
        code = next((number for number, line in enumerate(lines) if not line.startswith("//")), len(lines))
        about = " ".join(line.removeprefix("//").strip() for line in lines[:code])
    else:
        about = ""
    return _SENTENCE_END.split(" ".join(about.partition("\n\n")[0].split()))[0]


def _docstring(folder: Path) -> str:
    """Return the whole docstring of a room on one line."""
    return " ".join((ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or "").split())


def _rooms() -> list[tuple[str, Path]]:
    """Return the rooms from the highest layer to the lowest, as the contract in pyproject.toml orders them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["runner"])
    names = [name.strip(" ()") for layer in layers for name in re.split(r"[|:]", layer)]
    return [(name, ROOT / "runner" / name) for name in names if (ROOT / "runner" / name).is_dir()]


def _loose_files() -> list[Path]:
    return sorted(path for path in (ROOT / "runner").glob("*.py") if path.name != "__init__.py")


def _room(title: str, folder: Path) -> Iterator[str]:
    """Yield the section of a room: its own files, then those of each folder in it."""
    yield from _table(title, ("file", "what it does"), _files(folder, folder))


def _files(folder: Path, room: Path) -> Iterator[tuple[str, str]]:
    """Yield each file below a folder, by its path within the room, with what it does; a folder before its files."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "__init__.py")
    for path in files:
        about = first_sentence(path) or _ABOUT.get(f"{room.name}/{path.relative_to(room)}")
        if about:
            yield f"`{path.relative_to(room)}`", about
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))):
        name = inner.relative_to(room)
        if about := _WHOLE.get(f"{room.name}/{name}"):
            yield f"`{name}/`", about
            continue
        if (inner / "__init__.py").exists():
            yield f"**`{name}/`**", _docstring(inner)
        yield from _files(inner, room)


def _conf_groups() -> Iterator[tuple[str, str]]:
    """Yield each group of conf/ with the comment that conf/config.yaml has beside it."""
    text = (ROOT / "conf" / "config.yaml").read_text(encoding="utf-8")
    comments = dict(re.findall(r"^  - (\w+): \S+ # (.*)$", text, re.MULTILINE))
    for default in OmegaConf.create(text).defaults:
        for group in default if OmegaConf.is_dict(default) else ():
            if group in comments:
                yield f"`conf/{group}/`", comments[group]


def _test_commands() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tests").rglob("__main__.py")):
        module = ".".join(path.parent.relative_to(ROOT).parts)
        yield f"`python -m {module}`", re.sub(rf"^python -m {module}[^:]*: ", "", first_sentence(path))


def _table(
    title: str, head: tuple[str, str], rows: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]
) -> list[str]:
    return ["", f"## {title}", "", _row(head), "|---|---|", *map(_row, rows)]


def _row(cells: tuple[str, str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
