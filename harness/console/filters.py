"""Mirror filters: the guide's "Create, modify, or delete a traffic mirror filter"; their rules are in ``rules``."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.lists import Column, description_of, listed, name_of
from halfsilver.harness.console.visit import Visit, page, tag_fields
from halfsilver.harness.console.web import EMPTY
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.policy.filters import AMAZON_DNS

__all__ = ["find_filter"]

_DELETED = "Its rules go with it. A filter that a session uses is not deleted."
_SERVICES = "ModifyTrafficMirrorFilterNetworkServices"
_COLUMNS = (
    Column("id", "filter", lambda each: str(each["TrafficMirrorFilterId"])),
    Column("name", "name", name_of),
    Column("inbound", "inbound rules", lambda each: len(each["IngressFilterRules"]), numeric=True),
    Column("outbound", "outbound rules", lambda each: len(each["EgressFilterRules"]), numeric=True),
    Column("services", "network services", lambda each: ", ".join(each["NetworkServices"])),
    Column("description", "description", description_of),
)


def find_filter(visit: Visit, filter_id: str) -> Any:
    """A filter as the API describes it. ApiError if there is none, or none for this user."""
    return visit.ask("DescribeTrafficMirrorFilters", {"TrafficMirrorFilterId.1": filter_id})["TrafficMirrorFilters"][0]


@page("GET", "/filters")
def show_filters(visit: Visit) -> Response:
    found = listed(visit, "DescribeTrafficMirrorFilters", "TrafficMirrorFilters", _COLUMNS)
    return visit.show("filters.html", list=found)


@page("GET", "/filters/create")
def ask_filter(visit: Visit) -> Response:
    return visit.show("filter_create.html", form=EMPTY)


@page("POST", "/filters/create")
def create_filter(visit: Visit) -> Response:
    """Two operations if Amazon DNS is wanted: where the second one is refused, the filter's page says so."""
    fields = visit.form.given("Description", "ClientToken")
    tags = tag_fields(visit.form, "TagSpecification.1.Tag")
    if tags:
        fields |= {"TagSpecification.1.ResourceType": "traffic-mirror-filter", **tags}
    try:
        filter_id = visit.ask("CreateTrafficMirrorFilter", fields)["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    except ApiError as error:
        return visit.show("filter_create.html", form=visit.form, error=error)
    if visit.form.get("AmazonDns"):
        try:
            visit.ask(_SERVICES, {"TrafficMirrorFilterId": filter_id, "AddNetworkService.1": AMAZON_DNS})
        except ApiError as error:
            return _show(visit, filter_id, error)
    return visit.done(f"/filters/{filter_id}", "created")


@page("GET", "/filters/{filter_id}")
def show_filter(visit: Visit, filter_id: str) -> Response:
    return _show(visit, filter_id)


@page("POST", "/filters/{filter_id}/network-services")
def modify_network_services(visit: Visit, filter_id: str) -> Response:
    asked = {"AddNetworkService.1": visit.form.get("add"), "RemoveNetworkService.1": visit.form.get("remove")}
    fields = {name: value for name, value in asked.items() if value}
    try:
        visit.ask(_SERVICES, {"TrafficMirrorFilterId": filter_id, **fields})
    except ApiError as error:
        return _show(visit, filter_id, error)
    return visit.done(f"/filters/{filter_id}", "modified")


@page("GET", "/filters/{filter_id}/delete")
def ask_to_delete_filter(visit: Visit, filter_id: str) -> Response:
    return ask_first(visit, _question(filter_id))


@page("POST", "/filters/{filter_id}/delete")
def delete_filter(visit: Visit, filter_id: str) -> Response:
    fields = {"TrafficMirrorFilterId": filter_id}
    return delete(visit, _question(filter_id), "DeleteTrafficMirrorFilter", fields, behind="/filters")


def _question(filter_id: str) -> Question:
    return Question(filter_id, _DELETED, f"/filters/{filter_id}")


def _show(visit: Visit, filter_id: str, error: ApiError | None = None) -> Response:
    fields = {"Filter.1.Name": "traffic-mirror-filter-id", "Filter.1.Value.1": filter_id}
    sessions = visit.try_list("DescribeTrafficMirrorSessions", "TrafficMirrorSessions", fields=fields)
    return visit.show("filter.html", error=error, filter=find_filter(visit, filter_id), sessions=sessions)
