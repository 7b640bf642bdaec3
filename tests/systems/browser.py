"""Debian's Chromium without a screen, driven by playwright, on MLflow's pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOVE_MS = 500
WAIT_MS = 180_000
"""How long a page may take on a busy machine."""
NO_ASSISTANT = "".join(
    f"localStorage.setItem('mlflow.assistant.{key}', '{value}');"
    for key, value in (("panelOpen_v1", "false"), ("fab.autoOpenedOnFirstLoad_v1", "true"))
)
"""Keeps a panel closed that MLflow opens at the first visit."""


def why_not() -> str | None:
    """Why no browser can be started here, if so."""
    return None if shutil.which("chromium") else "chromium is not installed"


@contextmanager
def browser_page(width: int = 1600, height: int = 1200) -> Iterator[Page]:
    """A page of a new browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, Chromium starts without its sandbox alone; it sees pages of this machine only.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(NO_ASSISTANT)
        try:
            yield context.new_page()
        finally:
            browser.close()


class Charts:
    """MLflow's charts of a study's trials, on a page that has opened them."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url, wait_until="commit")

    def wait_for_trials(self, number: int) -> None:
        """Wait until so many trials are listed."""
        self.page.get_by_text(f"{number} matching runs", exact=True).wait_for()

    def card(self, title: str) -> Locator:
        """The card of a chart."""
        cards = self.page.get_by_test_id("experiment-view-compare-runs-card")
        found = cards.filter(has=self.page.get_by_text(title, exact=True)).first
        found.scroll_into_view_if_needed()
        return found

    def titles(self) -> list[str]:
        """The titles of the charts that are in sight, in order."""
        cards = self.page.get_by_test_id("experiment-view-compare-runs-card")
        cards.first.wait_for()
        return [text.split("\n")[0] for text in cards.all_inner_texts()]

    def lines(self, metric: str) -> int:
        """How many lines the chart of a metric has, as soon as it has some."""
        # Each has a faint twin, for what smoothing would hide.
        lines = self.card(metric).locator("path.js-line[style*='stroke-opacity: 1;']")
        lines.first.wait_for(state="attached")  # a level line has no height, so it is never "visible"
        return lines.count()

    def axes(self) -> list[str]:
        """What the axes of the parallel coordinates are called; MLflow cuts the middle out of long names."""
        names = self.card("Parallel Coordinates").locator(".dimension .label, .axis-title")
        names.first.wait_for()
        return names.all_text_contents()

    def images(self, name: str, step: int) -> list[str]:
        """The addresses of the images of a name at a step, as soon as one is shown; the grid is moved there."""
        card = self.card(name)
        card.locator("img").first.wait_for()  # before, the page moves the slider by itself
        slider = card.get_by_role("slider")
        slider.focus()
        while (at := int(slider.get_attribute("aria-valuenow") or step)) != step:
            self.page.keyboard.press("ArrowLeft" if at > step else "ArrowRight")
            self.page.wait_for_timeout(MOVE_MS)
        shown = card.locator(f"img[src*='{name}%2Bstep%2B{step}%2B']")
        shown.first.wait_for()
        return [image.get_attribute("src") or "" for image in shown.all()]
