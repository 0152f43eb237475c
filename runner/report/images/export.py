"""Write every chart of a page as a file. The page itself draws them in the system's Chromium, offline.

Plotly's own exporter, kaleido, drives a Chromium, too. It is one more dependency, and it does not use the themes of
the page.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runner.errors import UserError

if TYPE_CHECKING:
    from playwright.sync_api import Page

FORMATS = ("svg", "png")
WIDTH_PIXELS = 960
PNG_SCALE = 2  # pixels of the file per pixel of the page: sharp on paper and on dense screens
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LONGEST_NAME = 120  # letters


def export_charts(page: Path, folder: Path, format: str) -> list[Path]:
    """Write every chart of a page into a folder, in light colours on white. Return the paths in the page's order.

    Args:
        page: a report.html or a diff.html.
        folder: where the files go. It is made if it does not exist; files of the same names are overwritten.
        format: one of FORMATS.

    Raises:
        UserError: if the page, a chart in it or a browser is missing, or the folder cannot be written.
    """
    if not page.is_file():
        raise UserError(f"{page} does not exist. Give a sweep with a report; make report SWEEP=… writes one.")
    written: list[Path] = []
    with opened_page(page) as opened:
        script = Path(__file__).with_name("export.js").read_text(encoding="utf-8")
        scale = PNG_SCALE if format == "png" else 1
        for chart in opened.locator(".chart").all():
            found = chart.evaluate(script, {"format": format, "width": WIDTH_PIXELS, "scale": scale})
            path = folder / f"{_name(found, written)}.{format}"
            _write(path, found["image"])
            written.append(path)
    if not written:
        raise UserError(f"{page} has no charts: they need at least two jobs that were measured.")
    return written


@contextmanager
def opened_page(
    page: Path, colours: Literal["light", "dark"] = "light", size: tuple[int, int] = (1280, 800)
) -> Iterator[Page]:
    """Open a page in the system's Chromium, offline, and close the browser at the end.

    Args:
        page: a report.html or a diff.html.
        colours: light or dark.
        size: of the window, in pixels.

    Raises:
        UserError: if there is no Playwright or no browser.
    """
    try:
        from playwright.sync_api import ViewportSize, sync_playwright
    except ImportError:
        raise UserError("Charts as files need Playwright: pip install playwright.") from None
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise UserError(
            f"Charts as files need one of {', '.join(_BROWSERS)}, and none was found. On Debian or Ubuntu, as root: "
            "apt-get install chromium"
        )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser)
        try:
            window = ViewportSize(width=size[0], height=size[1])
            context = launched.new_context(color_scheme=colours, offline=True, viewport=window)
            opened = context.new_page()
            opened.goto(page.resolve().as_uri())
            yield opened
        finally:
            launched.close()


def _name(found: dict[str, Any], taken: list[Path]) -> str:
    """Return a free file name that says what a chart shows, such as speedup-minilm-l6-on-tweets-1-thread."""
    kind = re.sub(r"-\d+$", "", found["figure"])
    words = re.findall(r"[a-z0-9]+", f"{kind} {found['section']}".lower())
    name = "-".join(words)[:_LONGEST_NAME].rstrip("-")
    return name if all(path.stem != name for path in taken) else f"{name}-{len(taken) + 1}"


def _write(path: Path, image: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.encode() if path.suffix == ".svg" else base64.b64decode(image))
    except OSError as error:
        raise UserError(
            f"{path.parent} (TO, --to) cannot be written: {error.strerror}. Name another folder with TO=…"
        ) from None
