"""Find the user's own steps, engines, tasks and metrics by the names that YAML gives.

Pinbox looks only in two places, so that a YAML file cannot run code that the user did not put there:

    plugins/steps/NAME.py     beside conf/, in the current folder; also engines/, tasks/, metrics/, and folders NAME/
    pinbox.steps: NAME        entry points of installed packages; also pinbox.engines, pinbox.tasks, pinbox.metrics

Only code that a job names is imported. A box gets a read-only copy of the code from the store (`store_plugin`). So the
code that was hashed is the code that runs, even if the file is edited afterwards.
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
_NAME = re.compile(r"[A-Za-z]\w*(-\w+)*")  # such a name cannot lead out of the folder


@dataclass(frozen=True)
class Plugin:
    """A module that the user wrote or installed.

    Attributes:
        kind: steps, engines, tasks or metrics.
        name: the name in YAML.
        module: the name by which Python imports it.
        root: the file, or the folder of the package, that holds all the plugin's code.
        above: the part of `module` by which Python imports `root`.
        origin: the file or the package that it comes from, for messages and records.
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
        """Return all files of the plugin's code, by their paths below a folder in which Python searches."""
        top = Path(*self.above.split("."))
        if self.root.is_file():
            return {top.with_suffix(".py"): self.root}
        files = (path for path in self.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return {top / path.relative_to(self.root): path for path in files}

    def sha256(self) -> str:
        """Return the hash of all the plugin's code, which is also the hash of its copy in the store."""
        return files_sha256(self.files())

    def load(self) -> ModuleType:
        """Import the module in this process.

        Raises:
            UserError: if that fails. The message names the line.
        """
        try:
            if self.module.startswith(f"{FOLDER}."):
                _make_local_plugins_importable()
            return importlib.import_module(self.module)
        except Exception as error:
            raise UserError(f"{self.origin} cannot be imported: {_describe(error, self.file)}") from error

    def constant(self, name: str) -> str | None:
        """Return a text that the module assigns to a name, without importing it. Return None if it assigns none."""
        try:
            body = ast.parse(self.file.read_text(encoding="utf-8")).body
        except (OSError, ValueError, SyntaxError) as error:
            raise UserError(f"{self.origin} cannot be read: {_describe(error, self.file)}") from None
        for node in body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                value = node.value.value if isinstance(node.value, ast.Constant) else None
                return value if isinstance(value, str) else None
        return None


@dataclass(frozen=True)
class StoredPlugin:
    """A copy of a plugin's code in the store.

    Attributes:
        kind: steps, engines, tasks or metrics.
        name: the name in YAML.
        module: the name by which Python imports the module.
        path: the folder in which Python searches for the module.
        sha256: the hash of the folder.
    """

    kind: str
    name: str
    module: str
    path: Path
    sha256: str

    def __str__(self) -> str:
        """Return the plugin's name and hash, as the column `plugins` shows them."""
        return label(self.kind, self.name, self.sha256)


def label(kind: str, name: str, sha256: str) -> str:
    """Return a plugin's name and hash, as the column `plugins` shows them."""
    return f"{kind}/{name}@{sha256[:12]}"


def find(kind: str, name: str, builtin_names: Collection[str] = ()) -> Plugin | None:
    """Return the plugin of a kind by its name, or None if there is none.

    Args:
        kind: steps, engines, tasks or metrics.
        name: the name in YAML. A file's name has an underscore for each hyphen.
        builtin_names: the names of this kind that Pinbox itself has.

    Raises:
        UserError: if the name exists twice.
    """
    plugins = [*_local(kind, name), *_installed(kind, name)]
    origins = [plugin.origin for plugin in plugins] + (["Pinbox's own"] if name in builtin_names else [])
    if plugins and len(origins) > 1:
        raise UserError(f"'{name}' exists twice among the {kind}: {' and '.join(origins)}. Rename your own.")
    return plugins[0] if plugins else None


def names(kind: str) -> list[str]:
    """Return the names of all plugins of a kind."""
    folder = Path.cwd() / FOLDER / kind
    local = [path.stem.replace("_", "-") if kind == "steps" else path.stem for path in folder.glob("[a-zA-Z]*")]
    return [*local, *(point.name for point in entry_points(group=f"pinbox.{kind}"))]


def store_plugin(plugin: Plugin, store: Store) -> StoredPlugin:
    """Copy a plugin's code into the store, and return the copy."""
    with store.staging_dir() as folder:
        target = folder / "files"
        for name, path in plugin.files().items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)
        recipe = {"plugin": folder_sha256(target)}
        copy = store.find(recipe) or store.put(recipe, target, "plugin", [])
    return StoredPlugin(plugin.kind, plugin.name, plugin.module, copy.path, copy.content)


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
        spec = importlib.util.find_spec(above)  # without dots in the name, this imports nothing
        if spec is None or spec.origin is None:
            raise UserError(
                f"{_package(point)} names the module {point.module} for '{name}', but there is no such module. Install "
                "the package again."
            )
        root = Path(spec.origin)
        root = root.parent if root.name == "__init__.py" else root
        yield Plugin(kind, name, point.module, root, above, _package(point))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.module


def _make_local_plugins_importable() -> None:
    """Let Python find the package `plugins` in the current folder, and no other module there."""
    folder = Path.cwd() / FOLDER
    known = sys.modules.get(FOLDER)
    if known is None or list(known.__path__) != [str(folder)]:
        for name in [name for name in sys.modules if name.partition(".")[0] == FOLDER]:
            del sys.modules[name]
        package = sys.modules[FOLDER] = ModuleType(FOLDER)
        package.__path__ = [str(folder)]
    importlib.invalidate_caches()


def _describe(error: BaseException, file: Path) -> str:
    """Return the text of an error of an import, with the line of the user's file that raised it."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(file) else line
        trace = trace.tb_next
    text = f"{type(error).__name__}: {getattr(error, 'msg', None) or error}".rstrip(".")
    return f"{text} (line {line})." if line else f"{text}."
