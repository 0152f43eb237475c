"""The part of a sweep's records that is needed to run it again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from runner.config.overrides import quoted
from runner.config.paths import MAKE
from runner.config.schema import Config
from runner.errors import UserError
from runner.results.tables import Tables

_NOT_A_JOB_S = ("-", "hydra")  # options of the command, and keys of Hydra's own
_OURS = ("isolation.kind=", "isolation.image=", "store=")  # set by `command`


@dataclass(frozen=True)
class Recorded:
    """A sweep's recipe.

    Attributes:
        overrides: the overrides of its command line, without Hydra's own.
        isolation: the kind of its boxes; both kinds in one text if it had both.
        image_id, base_id, lock_sha256: what identifies its image; None if it had none.
        code_version: the version of Pinbox.
        artifacts: the content hashes of all artifacts that it ran.
        store: the folder of its artifacts.
    """

    overrides: list[str]
    isolation: str
    image_id: str | None
    base_id: str | None
    lock_sha256: str | None
    code_version: str
    artifacts: frozenset[str]
    store: Path

    @property
    def get_code(self) -> str:
        """Return the command that gets the code it ran with: a commit, or a version where Pinbox was installed."""
        code = self.code_version.partition("+")[0]
        return f"pip install pinbox=={code}" if "." in code else f"git checkout {code}"

    def stored(self) -> frozenset[str]:
        """Return the artifacts that are still in the store."""
        return frozenset(content for content in self.artifacts if (self.store / "contents" / content).is_dir())


def recorded(tables: Tables) -> Recorded:
    """Read a sweep's recipe.

    Raises:
        UserError: if its Pinbox did not record one, or if it has an override that no sweep records.
    """
    manifest, environment = tables.manifest, tables.manifest.get("environment") or {}
    overrides = manifest.get("overrides")
    if overrides is None:
        raise UserError(
            f"{tables.folder}/manifest.json does not name the overrides of its sweep: an older Pinbox wrote it. "
            f"Run its grid again with {MAKE} sweep, and compare the two with {MAKE} diff."
        )
    foreign = [line for line in overrides if not isinstance(line, str) or line.lstrip("+~").startswith(_NOT_A_JOB_S)]
    if foreign:
        raise UserError(
            f"{tables.folder}/manifest.json has the override {foreign[0]!r:.100}, which no sweep records: "
            "somebody changed the file, so it is not run. Use the folder as the sweep left it."
        )
    store = next((line.partition("=")[2] for line in reversed(overrides) if line.startswith("store=")), Config.store)
    return Recorded(
        overrides=[line for line in overrides if not line.startswith(_OURS)],
        isolation=str(manifest.get("isolation")),
        image_id=environment.get("image_id"),
        base_id=environment.get("base_id"),
        lock_sha256=environment.get("lock_sha256"),
        code_version=str(environment.get("code_version")),
        artifacts=frozenset(content for content in tables.summary["artifact"].to_pylist() if content),
        store=Path(store),
    )


def command(recipe: Recorded, image_id: str | None, store: Path, out: Path) -> list[str]:
    """Return the command that runs the sweep again, in a folder of its own."""
    kind = [f"isolation.kind={recipe.isolation}"] if "," not in recipe.isolation else []
    image = [f"isolation.image={quoted(image_id)}"] if image_id else []
    ours = [*kind, *image, f"store={quoted(store)}", f"hydra.sweep.dir={quoted(out)}"]
    return [sys.executable, "-m", "runner", "-m", *recipe.overrides, *ours]
