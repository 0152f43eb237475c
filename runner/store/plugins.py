"""Code of the user's own: steps, engines, tasks and metrics that are not Pinbox's, found by the name that YAML gives.

Two places are looked in, and no other, so that no YAML can have any code run that the user did not put there:

    plugins/steps/NAME.py     beside conf/, in the current folder; also engines/, tasks/, metrics/, and folders NAME/
    pinbox.steps: NAME        entry points of installed packages; also pinbox.engines, pinbox.tasks, pinbox.metrics

Only what a job names is imported. A box gets a copy of the code from the store, read-only (`keep`): what was hashed is
what runs, even if the file is edited meanwhile.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from runner.errors import UserError
from runner.store.artifacts import Store, files_sha256, folder_sha256

FOLDER = "plugins"
_NAME = re.compile(r"[A-Za-z]\w*(-\w+)*")  # and nothing that leads out of the folder


@dataclass(frozen=True)
class Plugin:
    """A module of the user's own.

    Attributes:
        kind: steps, engines, tasks or metrics.
        name: as YAML says it.
        module: as Python imports it.
        root: the file, or the folder of a package, that holds all its code.
        above: the part of `module` that `root` is imported as.
        origin: for people, and for the record.
    """

    kind: str
    name: str
    module: str
    root: Path
    above: str
    origin: str

    @property
    def file(self) -> Path:
        """Return the module's own file."""
        path = self.root.with_suffix("").joinpath(*self.module.removeprefix(self.above).strip(".").split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def files(self) -> dict[Path, Path]:
        """Return all files of its code, by their path below a folder that Python searches."""
        top = Path(*self.above.split("."))
        if self.root.is_file():
            return {top.with_suffix(".py"): self.root}
        found = (path for path in self.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {top / path.relative_to(self.root): path for path in found}

    def sha256(self) -> str:
        """Return the hash of all its code, which is that of the copy in the store."""
        return files_sha256(self.files())

    def load(self) -> ModuleType:
        """Import it, in this process.

        Raises:
            UserError: if that fails; it names the line.
        """
        try:
            if self.module.startswith(f"{FOLDER}."):
                _search_for_local_ones()
            return importlib.import_module(self.module)
        except Exception as error:
            raise UserError(f"{self.origin} cannot be imported: {_told(error, self.file)}") from error

    def constant(self, name: str) -> str | None:
        """Return a text that the module gives a name to, without importing it; None if it does not."""
        try:
            body = ast.parse(self.file.read_text(encoding="utf-8")).body
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{self.origin} cannot be read: {_told(error, self.file)}") from None
        for node in body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                value = node.value.value if isinstance(node.value, ast.Constant) else None
                return value if isinstance(value, str) else None
        return None


@dataclass(frozen=True)
class Kept:
    """A copy of a plugin's code: the module to import, the folder that Python is to search, and the folder's hash."""

    kind: str
    name: str
    module: str
    path: Path
    sha256: str

    def __str__(self) -> str:
        """Return it as the column `plugins` says it."""
        return label(self.kind, self.name, self.sha256)


def label(kind: str, name: str, sha256: str) -> str:
    """Return what the column `plugins` says of one."""
    return f"{kind}/{name}@{sha256[:12]}"


def find(kind: str, name: str, ours: Collection[str] = ()) -> Plugin | None:
    """Return the plugin of a kind by its name, None if there is none.

    Args:
        kind: steps, engines, tasks or metrics.
        name: as YAML says it; in a file's name, a hyphen is an underscore.
        ours: the names that Pinbox itself has of this kind.

    Raises:
        UserError: if it is there twice.
    """
    found = [*_local(kind, name), *_installed(kind, name)]
    said = [plugin.origin for plugin in found] + (["Pinbox's own"] if name in ours else [])
    if found and len(said) > 1:
        raise UserError(f"'{name}' is there twice among the {kind}: {' and '.join(said)}. Rename your own.")
    return found[0] if found else None


def names(kind: str) -> list[str]:
    """Return the names of all plugins of a kind."""
    folder = Path.cwd() / FOLDER / kind
    there = [path.stem.replace("_", "-") if kind == "steps" else path.stem for path in folder.glob("[a-zA-Z]*")]
    return [*there, *(point.name for point in entry_points(group=f"pinbox.{kind}"))]


def keep(plugin: Plugin, store: Store) -> Kept:
    """Return a copy of a plugin's code, in the store."""
    with store.staging_dir() as folder:
        target = folder / "files"
        for name, path in plugin.files().items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
        recipe = {"plugin": folder_sha256(target)}
        kept = store.find(recipe) or store.put(recipe, target, "plugin", [])
    return Kept(plugin.kind, plugin.name, plugin.module, kept.path, kept.content)


def _local(kind: str, name: str) -> Iterator[Plugin]:
    stem = name.replace("-", "_")
    folder = Path.cwd() / FOLDER / kind
    for root in (folder / f"{stem}.py", folder / stem / "__init__.py"):
        if _NAME.fullmatch(name) and root.is_file():
            module, root = f"{FOLDER}.{kind}.{stem}", root.parent if root.name == "__init__.py" else root
            yield Plugin(kind, name, module, root, module, str(root.relative_to(Path.cwd())))


def _installed(kind: str, name: str) -> Iterator[Plugin]:
    for point in entry_points(group=f"pinbox.{kind}", name=name):
        above = point.module.partition(".")[0]
        spec = importlib.util.find_spec(above)  # which imports nothing, as it is a name without dots
        if spec is None or spec.origin is None:
            raise UserError(f"{_package(point)} names the module {point.module} for '{name}', but that is not there.")
        root = Path(spec.origin)
        root = root.parent if root.name == "__init__.py" else root
        yield Plugin(kind, name, point.module, root, above, _package(point))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module


def _search_for_local_ones() -> None:
    """Have Python find `plugins` in the current folder, and nothing else there."""
    folder = Path.cwd() / FOLDER
    known = sys.modules.get(FOLDER)
    if known is None or list(known.__path__) != [str(folder)]:
        for name in [name for name in sys.modules if name.partition(".")[0] == FOLDER]:
            del sys.modules[name]
        package = sys.modules[FOLDER] = ModuleType(FOLDER)
        package.__path__ = [str(folder)]
    importlib.invalidate_caches()


def _told(error: BaseException, file: Path) -> str:
    """Return what an import said, with the line of the user's file that it came from."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(file) else line
        trace = trace.tb_next
    text = f"{type(error).__name__}: {getattr(error, 'msg', None) or error}".rstrip(".")
    return f"{text} (line {line})." if line else f"{text}."
