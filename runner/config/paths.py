"""Find Pinbox's own files, and the user's own conf/, which is in the current folder.

In a checkout, conf/ and docker/ are beside the package `runner`. In an installed Pinbox, they are in the folder
`pinbox` beside it (see setup.py).
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import UserError

CODE = Path(__file__).resolve().parents[1]  # the package `runner`, the only code of Pinbox that a box sees
_INSTALLED_HOME = CODE.parent / "pinbox"
INSTALLED = (_INSTALLED_HOME / "conf" / "config.yaml").is_file()
_HOME = _INSTALLED_HOME if INSTALLED else CODE.parent
CONF = _HOME / "conf"
DOCKER = _HOME / "docker"
BOX_PYTHON = (3, 11)  # the version of Python in the image that docker/Dockerfile describes

# What users type in a checkout or an installation.
MAKE = "pinbox" if INSTALLED else "make"
FRESH = "--fresh" if INSTALLED else "FRESH=1"
OUT = "--out …" if INSTALLED else "OUT=…"
RETRY_FAILED = "--retry failed" if INSTALLED else "RETRY=failed"
ENGINE_SCRIPT = f"bash {DOCKER / 'engine.sh'}" if INSTALLED else "docker/engine.sh"  # installs and starts an engine


def own_conf() -> Path | None:
    """Return the user's own conf/ in the current folder; None if there is none, or if it is Pinbox's."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and not folder.samefile(CONF) else None


def check_own_conf() -> None:
    """Check that the user's own conf/ only adds to Pinbox's.

    Raises:
        UserError: if it has a config.yaml, which would replace Pinbox's own.
    """
    folder = own_conf()
    if folder and (folder / "config.yaml").exists():
        raise UserError(
            "conf/config.yaml in this folder would replace Pinbox's own. If this conf/ belongs to another program, "
            "work in another folder. Otherwise move its content into a grid, conf/grid/NAME.yaml, and remove it."
        )


def choices(group: str) -> list[str]:
    """Return the names of a config group's choices, including the user's own, in alphabetical order."""
    folders = filter(None, (own_conf(), CONF))
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})
