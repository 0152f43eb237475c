"""Pages in the system's Chromium, headless: what they log, what they ask the network for, how they look."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.patience import PATIENCE_SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_PATIENCE_MS = 1000 * PATIENCE_SECONDS

#: A desktop's window, and a phone's.
DESKTOP, PHONE = (1280, 800), (390, 844)


@dataclass
class Opened:
    """A page that was opened from disk.

    Attributes:
        errors: what its scripts threw, and what the console showed as an error or a warning.
        requests: every address it asked for that is not a file of its own or inside it.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def screenshot(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        self.page.screenshot(path=path, full_page=True)


OpenPage = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=_PATIENCE_MS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens a file: `open_page(path, size=DESKTOP, dark=False)`; its scripts have run once it returns."""
    contexts = []

    def opened(path: Path, size: tuple[int, int] = DESKTOP, dark: bool = False) -> Opened:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", offline=True
        )
        context.set_default_timeout(_PATIENCE_MS)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on(
            "console", lambda said: found.errors.append(said.text) if said.type in ("error", "warning") else None
        )
        found.page.on("request", lambda request: _note(found.requests, request.url))
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


def _note(requests: list[str], address: str) -> None:
    if not address.startswith(("file:", "data:", "blob:")):
        requests.append(address)
