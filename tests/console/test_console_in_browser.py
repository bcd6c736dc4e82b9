"""The console as Chromium shows it, from the door to the last deletion: wide and narrow, light and dark, with script
and without, with the keyboard, and to axe-core. One browser and one server for all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.console.console_kit import key_of
from tests.control.kits.serve_kit import COLLECTOR, WEB, capture, make_filter, make_session, make_target, to_web
from tests.control.kits.server_kit import Cloud
from tests.harness.report.page.browser_kit import PHONE, WAIT, WIDE, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def enter(cloud: Cloud, context: BrowserContext) -> Page:
    """A page of somebody who has signed in by the form."""
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto(f"{cloud.url}/console")
    key_id, secret = key_of(cloud.server)
    page.get_by_label("Access key ID").fill(key_id)
    page.get_by_label("Secret access key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Overview"
    return page


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def page(request: pytest.FixtureRequest, cloud: Cloud, browser: Browser) -> Iterator[Page]:
    """Signed in, with script and without; nothing may have been complained of, or asked of others, in the end."""
    context = browser.new_context(viewport=WIDE, java_script_enabled=request.param)
    complaints: list[str] = []
    asked: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda request: asked.append(request.url))
    yield enter(cloud, context)
    context.close()
    cloud.empty()
    assert complaints == []
    assert all(each.startswith(f"{cloud.url}/console") for each in asked)


def test_from_the_first_target_to_the_last_deletion(page: Page, cloud: Cloud, tmp_path: Path):
    ec2 = cloud.client()
    assert (page.locator("#region").inner_text(), page.locator("#account").inner_text()) == (
        "us-east-1",
        "111122223333",
    )

    follow(page, "Mirror targets")
    follow(page, "Create traffic mirror target")
    page.get_by_label("Name tag").fill("<collector>")
    page.get_by_label("Network interface").select_option(COLLECTOR)
    press(page, "Create")
    assert page.get_by_role("status").inner_text() == "Created."
    target = page.get_by_role("heading", level=1).inner_text()

    follow(page, "Mirror filters")
    follow(page, "Create traffic mirror filter")
    page.get_by_label("amazon-dns").check()
    press(page, "Create")
    filter_id = page.get_by_role("heading", level=1).inner_text()
    follow(page, "Add inbound rule")
    page.get_by_label("Number").fill("10")
    page.get_by_label("Protocol").fill("6")
    page.get_by_label("Source CIDR block").fill("0.0.0.0/0")
    page.get_by_label("Destination CIDR block").fill("0.0.0.0/0")
    page.get_by_label("Destination port range").fill("80")
    press(page, "Add rule")
    row = page.get_by_role("row").filter(has_text="accept")
    assert "TCP" in row.inner_text() and "port 80" in row.inner_text()

    follow(page, "Mirror sessions")
    follow(page, "Create traffic mirror session")
    page.get_by_label("Mirror source").select_option(WEB)
    page.get_by_label("Mirror target").select_option(target)
    page.get_by_label("Session number").fill("1")
    page.get_by_label("Filter", exact=True).select_option(filter_id)
    press(page, "Create")
    session = page.get_by_role("heading", level=1).inner_text()
    assert page.locator("#standing").inner_text() == "active"
    assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"][0]["TrafficMirrorFilterId"] == filter_id

    follow(page, "Manage tags")
    page.get_by_label("Key of tag 1").fill("team")
    page.get_by_label("Value of tag 1").fill("net & security")
    press(page, "Save")
    assert page.get_by_role("row", name="team net & security").is_visible()

    follow(page, "Modify session")
    page.get_by_label("Packet length").fill("100")
    press(page, "Modify")
    assert page.locator("dt:has-text('packet length') + dd").inner_text() == "100"

    why_not(page, tmp_path)
    what_if(page, filter_id, tmp_path)

    for kind, identifier in (("Mirror sessions", session), ("Mirror filters", filter_id), ("Mirror targets", target)):
        follow(page, kind)
        follow(page, identifier)
        follow(page, "Delete")
        page.get_by_label("To confirm, enter delete").fill("delete")
        press(page, "Delete")
        assert page.get_by_role("status").first.inner_text() == "Deleted."
    assert page.get_by_text("There are none yet.").is_visible()
    press(page, "Sign out")
    expect(page.get_by_label("Access key ID")).to_be_visible()  # before that there is no page to go back from
    page.go_back()
    page.reload()
    assert page.get_by_label("Access key ID").is_visible()


def why_not(page: Page, folder: Path) -> None:
    path = folder / "web.pcap"
    path.write_bytes(capture([to_web(80), to_web(22)]))
    follow(page, "Why not?")
    page.get_by_label("Capture", exact=True).set_input_files(path)
    page.get_by_role("button", name="Explain").first.click()
    page.locator("#verdicts").wait_for()
    assert [each.inner_text().split("\t")[0] for each in page.locator("#verdicts tbody tr").all()] == [
        "mirrored",
        "no-match",
    ]
    second = page.locator("details.sample").nth(1)
    second.locator("> summary").click()
    assert "accept: destination port 22 not in 80-80\n  no rule matches" in second.locator("pre").inner_text()


def what_if(page: Page, filter_id: str, folder: Path) -> None:
    follow(page, "Mirror filters")
    follow(page, filter_id)
    page.get_by_role("link", name="Modify rule 10, Inbound").click()
    page.get_by_label("Destination port range").fill("22-80")
    page.get_by_label("Capture", exact=True).set_input_files(folder / "web.pcap")
    press(page, "What if?")
    expect(page.locator("#changes")).to_contain_text("1 copies are made, 2 would be")
    press(page, "Modify")
    assert "ports 22–80" in page.get_by_role("row").filter(has_text="accept").inner_text()


PAGES = (
    "/",
    "/targets",
    "/targets/create",
    "/targets/{target}",
    "/targets/{target}/delete",
    "/filters/create",
    "/filters/{filter}",
    "/filters/{filter}/tags",
    "/filters/{filter}/rules/create",
    "/sessions",
    "/sessions/create",
    "/sessions/{session}",
    "/shares",
    "/shares/create",
    "/shares/{share}",
    "/counters",
    "/why-not",
    "/nothing",
)


@pytest.fixture(scope="module")
def resources(cloud: Cloud) -> Iterator[dict[str, str]]:
    """One of each, with names that are long."""
    ec2 = cloud.client()
    made = {"target": make_target(ec2), "filter": make_filter(ec2, 80)}
    made["session"] = make_session(ec2, made["filter"], made["target"], Description="d" * 255)
    ec2.create_tags(Resources=list(made.values()), Tags=[{"Key": "Name", "Value": "n" * 200}])
    arn = f"arn:aws:ec2:us-east-1:111122223333:traffic-mirror-target/{made['target']}"
    share = cloud.client("ram").create_resource_share(name="s" * 200, resourceArns=[arn], principals=["444455556666"])
    made["share"] = share["resourceShare"]["resourceShareArn"].rpartition("/")[2]
    yield made
    cloud.empty()


@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide-light", "phone-dark"])
def test_everybody_can_read_every_page(
    cloud: Cloud, browser: Browser, resources: dict[str, str], viewport: Any, scheme: Any, tmp_path: Path
):
    """All rules of axe-core, contrast among them; and nothing is wider than the screen."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    page = enter(cloud, context)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    assert dark is (scheme == "dark")
    path = tmp_path / "web.pcap"
    path.write_bytes(capture([to_web(80), to_web(22)]))
    for address in PAGES:
        page.goto(f"{cloud.url}/console{address.format(**resources)}")
        if address == "/shares":
            page.get_by_text("Region us-east-1").click()
            assert page.get_by_role("link", name="Europe (Ireland) eu-west-1").is_visible()
        judge(page, address)
        if address == "/why-not":
            page.get_by_label("Capture", exact=True).set_input_files(path)
            page.get_by_role("button", name="Explain").first.click()
            page.locator("details.sample > summary").first.click()
            judge(page, "an explanation")
        if address.endswith("rules/create"):
            page.get_by_label("Number").fill("99999")
            page.get_by_label("Source CIDR block").fill("x")
            page.get_by_label("Destination CIDR block").fill("x")
            press(page, "Add rule")
            judge(page, "a refusal")
    context.clear_cookies()
    page.goto(f"{cloud.url}/console/sign-in?expired=1")
    judge(page, "the door")
    context.close()


def judge(page: Page, what: str) -> None:
    found = Axe().run(page).response
    problems = [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found["violations"]]
    assert problems == [], what
    assert len(found["passes"]) > 15, what
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), what


def test_with_script_parts_are_renewed_and_the_page_stays(
    cloud: Cloud, browser: Browser, resources: dict[str, str], tmp_path: Path
):
    context = browser.new_context(viewport=WIDE)
    page = enter(cloud, context)
    other = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))

    follow(page, "Mirror filters")
    page.evaluate("window.stays = true")
    page.get_by_label("Search").press_sequentially("name:x")
    expect(page.locator("#found")).to_have_text("0 of 1.")
    assert page.url.endswith("q=name%3Ax") and page.evaluate("document.activeElement.id") == "q"
    page.get_by_label("Search").fill("name:nnn")
    expect(page.locator("#rows")).to_contain_text(resources["filter"])
    assert page.evaluate("window.stays")

    path = tmp_path / "web.pcap"
    path.write_bytes(capture([to_web(80), to_web(22)]))
    page.goto(f"{cloud.url}/console/filters/{resources['filter']}/rules/create")
    page.evaluate("window.stays = true")
    page.get_by_label("Number").fill("5")
    page.get_by_label("Capture", exact=True).set_input_files(path)
    press(page, "What if?")
    expect(page.get_by_role("alert")).to_contain_text("CidrBlock")
    for end in ("Source", "Destination"):
        page.get_by_label(f"{end} CIDR block").fill("0.0.0.0/0")
    press(page, "What if?")
    expect(page.locator("#changes")).to_contain_text("1 copies are made, 2 would be")
    assert page.evaluate("window.stays") and page.get_by_label("Number").input_value() == "5"
    assert [each for each in complaints if "400" not in each] == []

    follow(page, "Counters")
    copies = page.locator("#session-counts tr td").nth(1)
    before = int(copies.inner_text())
    cloud.server.served.push([to_web(80)] * 2)
    expect(copies).to_have_text(str(before + 2), timeout=WAIT)
    assert page.locator("figure svg").count() == page.locator("figure canvas").count() == 2
    other.goto(f"{cloud.url}/console/")
    press(other, "Sign out")
    page.get_by_label("Access key ID").wait_for()  # it asks again, and is sent to the door
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["Sign in"] and "/sign-in" in page.url
    context.close()


def test_the_keyboard_is_enough(cloud: Cloud, browser: Browser):
    """To the content past the navigation, and a form from end to end."""
    context = browser.new_context(viewport=PHONE)
    page = enter(cloud, context)
    page.goto(f"{cloud.url}/console/filters/create")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    assert re.fullmatch("tmf-[0-9a-f]{17}", page.get_by_role("heading", level=1).inner_text())
    context.close()
    cloud.empty()
