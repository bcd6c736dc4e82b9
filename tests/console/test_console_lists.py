"""Lists of the console: searched and sorted by plain parameters, page by page, and as htmx asks for them."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.console.desk_kit import SECURITY, Desk, Visitor, desk
from tests.control.kits.serve_kit import COLLECTOR, WEB

DARK = "eni-0a1b2c3d4e5f60110"
"""Of the other account, as a target."""

_FIVES = [f"filter {each}5" for each in (4, 3, 2, 1, 0)]


@pytest.fixture(scope="module")
def place() -> Iterator[Desk]:
    """Sixty filters, three targets, three sessions."""
    with desk() as made:
        for number in range(60):
            tags = [{"Key": "Name", "Value": f"filter {59 - number:02}"}, {"Key": "team", "Value": "ab"[number % 2]}]
            specification = [{"ResourceType": "traffic-mirror-filter", "Tags": tags}]
            description = {"Description": "Die <Ersten>"} if number < 2 else {}
            made.ask("CreateTrafficMirrorFilter", TagSpecifications=specification, **description)
        yield made


@pytest.fixture(scope="module")
def owner(place: Desk) -> Visitor:
    return place.visitor()


def names(text: str) -> list[str]:
    """In the rows, from the second column."""
    return re.findall(r"</th>\n<td>\s*([^<\n]+)", text.partition("<tbody>")[2])


def following(text: str, words: str = "Next page") -> str:
    found = re.search(rf'href="(\?[^"]+)">{words}<', text)
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("filter name:07", ["filter 07"]),
        ("FILTER NAME:07", ["filter 07"]),
        ("tag:team=a name:5", ["filter 59", "filter 57", "filter 55", "filter 53", "filter 51", *_FIVES]),
        ("ersten", ["filter 59", "filter 58"]),
        ("description:ersten name:8", ["filter 58"]),
        ("name:ersten", []),
        ("<ersten>", ["filter 59", "filter 58"]),
    ],
)
def test_what_is_searched_is_found(owner: Visitor, q: str, found: list[str]):
    page = owner.get(f"/console/filters?{urllib.parse.urlencode({'q': q})}")
    assert page.status == 200 and names(page.text) == found
    assert f">{len(found)} of 60.<" in page.text and page.inputs["q"] == q
    assert "<ersten>" not in page.text.lower()
    assert ("None of 60 has all of that" in page.text) is (not found)


def test_a_filter_is_found_by_its_id(place: Desk, owner: Visitor):
    wanted = place.ask("DescribeTrafficMirrorFilters")["TrafficMirrorFilters"][31]["TrafficMirrorFilterId"]
    for q in (wanted, f"id:{wanted[-8:]}"):
        assert names(owner.get(f"/console/filters?q={q}").text) == ["filter 28"]


def test_a_sorted_list_comes_in_pages_that_keep_what_was_asked(owner: Visitor):
    first = owner.get("/console/filters?sort=name").text
    assert names(first) == [f"filter {number:02}" for number in range(50)] and 'aria-sort="ascending"' in first
    second = owner.get(f"/console/filters{following(first)}").text
    assert names(second) == [f"filter {number:02}" for number in range(50, 60)] and not following(second)
    assert names(owner.get(f"/console/filters{following(second, 'Previous page')}").text) == names(first)
    turned = owner.get(f"/console/filters{following(first, 'name.*?')}").text
    assert names(turned)[:2] == ["filter 59", "filter 58"] and 'aria-sort="descending"' in turned
    both = owner.get("/console/filters?q=tag:team=b&sort=-name").text
    assert names(both)[:3] == ["filter 58", "filter 56", "filter 54"]
    assert 'name="sort" value="-name"' in both, "a search keeps the order"


def test_unsorted_it_comes_as_the_api_pages_it(owner: Visitor):
    first = owner.get("/console/filters").text
    second = owner.get(f"/console/filters{following(first)}").text
    assert names(first) + names(second) == [f"filter {number:02}" for number in reversed(range(60))]
    assert "next=" in following(first)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort=secret", "sorted by id, name, inbound, outbound, services, description, not by secret"),
        ("q=a&page=0", "page must be a number"),
        ("q=a&page=x", "page must be a number"),
        ("q=a&q=b", "one field twice"),
    ],
)
def test_what_cannot_be_asked_is_refused(owner: Visitor, query: str, words: str):
    page = owner.get(f"/console/filters?{query}")
    assert page.status == 400 and words in page.text


def test_sessions_are_found_by_state_and_sorted_by_number():
    with desk() as place:
        filter_id = place.ask("CreateTrafficMirrorFilter")["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
        made = place.ask("CreateTrafficMirrorTarget", NetworkInterfaceId=COLLECTOR)["TrafficMirrorTarget"]
        own = made["TrafficMirrorTargetId"]
        made = place.ask("CreateTrafficMirrorTarget", SECURITY, NetworkInterfaceId=DARK)["TrafficMirrorTarget"]
        theirs = made["TrafficMirrorTargetId"]
        arn = f"arn:aws:ec2:us-east-1:{SECURITY}:traffic-mirror-target/{theirs}"
        place.ask("CreateResourceShare", SECURITY, "ram", name="s", resourceArns=[arn], principals=["111122223333"])
        for number, target in ((10, own), (9, theirs), (100, own)):
            place.ask(
                "CreateTrafficMirrorSession",
                NetworkInterfaceId=WEB,
                TrafficMirrorTargetId=target,
                TrafficMirrorFilterId=filter_id,
                SessionNumber=number,
            )
        place.ask("DeleteTrafficMirrorTarget", SECURITY, TrafficMirrorTargetId=theirs)
        owner = place.visitor()

        def numbers(query: str) -> list[str]:
            rows = owner.get(f"/console/sessions?{query}").text.partition("<tbody>")[2]
            return re.findall(rf"<td>{WEB}<td class=\"n\">(\d+)", rows)

        assert numbers("sort=number") == ["9", "10", "100"] and numbers("sort=-number") == ["100", "10", "9"]
        assert numbers("q=state:stopped") == ["9"] and numbers("q=state:active") == ["10", "100"]
        assert numbers("q=deleted") == ["9"], "by the reason"
        assert numbers(f"q={own}&sort=-vni") != [] and len(numbers("q=target:tmt-")) == 3
        targets = owner.get("/console/targets?q=destination:eni-&sort=-id").text
        assert targets.count("(shared)") == 0 and COLLECTOR in targets


def test_who_may_not_list_finds_nothing(place: Desk):
    visitor = place.visitor("111122223333", "blind", "ec2:DescribeTrafficMirrorTargets")
    for query in ("", "?q=filter", "?sort=name"):
        page = visitor.get(f"/console/filters{query}")
        assert page.status == 403 and "ec2:DescribeTrafficMirrorFilters" in page.text and "filter 0" not in page.text
