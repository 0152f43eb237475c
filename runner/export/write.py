"""Write the exported folder completely, or not at all."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.config.job_file import read_job
from runner.engines.engine import FORMATS
from runner.errors import UserError
from runner.export.card import render_card
from runner.export.layouts.layout import Handover, as_json
from runner.export.layouts.registry import PINBOX, layout_of
from runner.export.service import service_settings
from runner.export.settings import predict_settings
from runner.export.sources import find_sources
from runner.export.variant import Variant, find_variant
from runner.results.recorded import recorded
from runner.results.schema import SUMMARY, VERSION
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder


def export(tables: Tables, asked: str, to: Path, layout: str = PINBOX, with_service: bool = False) -> Variant:
    """Export a variant of a sweep, and return it.

    Args:
        tables: the tables of the sweep.
        asked: the name of the job; see `find_variant`.
        to: the folder to make. It must not exist, or must be empty.
        layout: the name of the layout; see `runner.export.layouts`.
        with_service: whether the folder gets a service too; see `runner.export.service`.

    Raises:
        UserError: if `asked` does not name one measured job, if its files are missing from the store or were changed,
            if the layout cannot hold it, or if `to` is not free or cannot be written.
    """
    chosen = layout_of(layout)
    if with_service and layout != PINBOX:
        raise UserError(
            f"--service writes a service of Pinbox, but the layout '{layout}' is for another server. Leave out "
            "--service or --layout."
        )
    variant = find_variant(tables, asked)
    sources = find_sources(variant, recorded(tables).store, tables.folder)
    if variant.engine not in FORMATS:
        raise UserError(
            f"{variant.name} runs on your own engine, '{variant.engine}', for which Pinbox cannot write a script. The "
            f"artifact itself is {variant.stored_at}."
        )
    load = read_job(SweepFolder(tables.folder), variant.row["job"]).load
    settings = predict_settings(variant, sources)
    if with_service:
        settings["service"] = service_settings(variant, load)
    handover = Handover(variant, sources, settings, load, tables.manifest.get("environment") or {})
    chosen.check(handover)
    with new_folder(to) as folder:
        chosen.write(handover, folder)
        card = render_card(tables, variant, chosen.use(handover))
        (folder / "README.md").write_text(card, encoding="utf-8")
        figures = measurements(tables, variant)
        described = {"layout": chosen.name, "settings": settings, "files": _hashes(folder)}
        (folder / "measurements.json").write_text(as_json(figures | described), encoding="utf-8")
    return variant


def measurements(tables: Tables, variant: Variant) -> dict[str, Any]:
    """Return the figures of the variant and its baseline, with the conditions under which they were measured."""
    copied = ("sweep", "seed", "isolation", "measure", "environment")
    return {
        "schema": VERSION,
        **{key: tables.manifest.get(key) for key in copied},
        "engine": variant.engine,
        "variant": variant.row,
        "baseline": variant.baseline,
        "box": {name: value for name, value in variant.trial.items() if name.startswith("box_")},
        "lineage": variant.lineage,
        "columns": {field.name: field.metadata[b"description"].decode() for field in SUMMARY},
    }


@contextmanager
def new_folder(to: Path) -> Iterator[Path]:
    """Yield an empty folder beside `to`. It becomes `to` if all goes well, and is removed otherwise.

    Raises:
        UserError: if `to` is not free, or cannot be written.
    """
    to = to.absolute()
    try:
        if to.is_symlink() or (to.exists() and not (to.is_dir() and not any(to.iterdir()))):
            raise UserError(f"TO is {to}, which is there already. Name a folder that does not exist, or is empty.")
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.", ignore_cleanup_errors=True) as place:
            folder = Path(place) / to.name
            folder.mkdir()
            yield folder
            folder.rename(to)
    except OSError as error:
        raise UserError(
            f"TO is {to}, which cannot be written: {error.strerror or error}. Name another folder."
        ) from error


def _hashes(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the size and SHA-256 of every file."""
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
