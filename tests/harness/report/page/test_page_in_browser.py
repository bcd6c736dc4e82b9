"""The page of a run as Chromium shows it: wide and narrow, light and dark, with the keyboard, and to axe-core.

One browser for all of it, that of the distribution. axe-core is the judge of what a screen reader can make of the page,
and of contrast.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.harness.commands.cli_kit import FRAMES, write_capture, write_policy
from tests.harness.report.page.browser_kit import PHONE, WAIT, WIDE, chromium
from tests.harness.report.page.page_kit import page_of

SECTIONS = ["verdicts", "time", "sessions", "rules", "talkers", "lengths", "samples", "about"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with all there is on one: a damaged capture's, with a note in the colour of what is wrong."""
    folder = tmp_path_factory.mktemp("page")
    capture = Path(write_capture(folder, FRAMES * 3))
    capture.write_bytes(capture.read_bytes()[:-3])
    page_of(folder, str(capture), write_policy(folder), code=1)
    return (folder / "report" / "index.html").as_uri()


@pytest.fixture(params=[(WIDE, "light"), (PHONE, "dark")], ids=["wide-light", "phone-dark"])
def page(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened; nothing may have been complained of or asked for when it is closed."""
    viewport, scheme = request.param
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    page.set_default_timeout(WAIT)
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    page.close()
    assert complaints == []
    assert asked == [address]


def open_everything(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def test_every_section_is_there_and_nothing_overflows(page: Page):
    assert page.eval_on_selector_all("main > section", "all => all.map(each => each.id)") == SECTIONS
    open_everything(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("figure svg rect").count() == 6  # three groups, copies, two classes of length


def test_light_and_dark_are_as_the_reader_has_them(page: Page):
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 24, 28)" if dark else "rgb(255, 255, 255)")


def test_axe_finds_nothing(page: Page):
    """All rules of axe-core, contrast among them, with a sample and a chart's table open."""
    page.evaluate(
        "document.querySelectorAll('.sample:first-of-type, .sample:first-of-type *').forEach(each => each.open = true)"
    )
    page.evaluate("document.querySelector('figure details').open = true")
    found = Axe().run(page).response
    assert len(found["passes"]) > 20
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found["violations"]] == []


def test_the_keyboard_goes_to_the_verdicts_and_opens_a_sample(page: Page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#verdicts")
    sample = page.locator("details.sample > summary").first
    sample.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.sample[open] pre").first.is_visible()


def test_it_needs_no_script(browser: Browser, address: str):
    page = browser.new_page(viewport=WIDE, java_script_enabled=False)
    page.goto(address)
    sample = page.locator("details.sample").first
    sample.locator("> summary").click(timeout=WAIT)
    assert sample.locator("pre").is_visible()
    page.close()
