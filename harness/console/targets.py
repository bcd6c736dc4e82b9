"""Mirror targets: the guide's "Create or delete a traffic mirror target" and "View traffic mirror targets"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.lists import Column, description_of, listed, name_of
from halfsilver.harness.console.visit import Visit, page, tag_fields
from halfsilver.harness.console.web import EMPTY, Form
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.policy.reader import DESTINATIONS

__all__ = ["destination_of", "interface_choices", "named"]

_DELETED = "Sessions of other accounts that mirror to it stop. While one of its own account does, it is not deleted."


def destination_of(target: Mapping[str, Any]) -> str:
    """What a target leads to: the id of an interface or an endpoint, the ARN of a load balancer."""
    return next((str(target[name]) for name in DESTINATIONS if target.get(name)), "")


def named(each: Mapping[str, Any], identifier: str, tags: str = "Tags") -> tuple[str, str]:
    """An option to choose: the id, and the id with the name that a tag gives it."""
    name = next((tag["Value"] for tag in each.get(tags, ()) if tag["Key"] == "Name"), "")
    return each[identifier], f"{each[identifier]} ({name})" if name else each[identifier]


def interface_choices(visit: Visit) -> list[tuple[str, str]] | None:
    """The network interfaces that the user sees; None if none may be seen."""
    found = visit.try_list("DescribeNetworkInterfaces", "NetworkInterfaces")
    return None if found is None else [named(each, "NetworkInterfaceId", "TagSet") for each in found]


_COLUMNS = (
    Column("id", "target", lambda each: str(each["TrafficMirrorTargetId"])),
    Column("name", "name", name_of),
    Column("type", "type", lambda each: str(each["Type"])),
    Column("destination", "destination", destination_of),
    Column("owner", "owner", lambda each: str(each["OwnerId"])),
    Column("description", "description", description_of),
)


@page("GET", "/targets")
def show_targets(visit: Visit) -> Response:
    found = listed(visit, "DescribeTrafficMirrorTargets", "TrafficMirrorTargets", _COLUMNS)
    return visit.show("targets.html", list=found)


@page("GET", "/targets/create")
def ask_target(visit: Visit) -> Response:
    return _form(visit, EMPTY)


@page("POST", "/targets/create")
def create_target(visit: Visit) -> Response:
    fields = visit.form.given("Description", "ClientToken", *DESTINATIONS)
    tags = tag_fields(visit.form, "TagSpecification.1.Tag")
    if tags:
        fields |= {"TagSpecification.1.ResourceType": "traffic-mirror-target", **tags}
    try:
        made = visit.ask("CreateTrafficMirrorTarget", fields)["TrafficMirrorTarget"]
    except ApiError as error:
        return _form(visit, visit.form, error)
    return visit.done(f"/targets/{made['TrafficMirrorTargetId']}", "created")


@page("GET", "/targets/{target_id}")
def show_target(visit: Visit, target_id: str) -> Response:
    fields = {"TrafficMirrorTargetId.1": target_id}
    target = visit.ask("DescribeTrafficMirrorTargets", fields)["TrafficMirrorTargets"][0]
    return visit.show("target.html", target=target, sessions=_sessions(visit, target_id))


@page("GET", "/targets/{target_id}/delete")
def ask_to_delete_target(visit: Visit, target_id: str) -> Response:
    return ask_first(visit, _question(target_id))


@page("POST", "/targets/{target_id}/delete")
def delete_target(visit: Visit, target_id: str) -> Response:
    fields = {"TrafficMirrorTargetId": target_id}
    return delete(visit, _question(target_id), "DeleteTrafficMirrorTarget", fields, behind="/targets")


def _question(target_id: str) -> Question:
    return Question(target_id, _DELETED, f"/targets/{target_id}")


def _form(visit: Visit, form: Form, error: ApiError | None = None) -> Response:
    balancers = visit.try_list("DescribeLoadBalancers", "LoadBalancers", "elbv2")
    endpoints = visit.try_list("DescribeVpcEndpoints", "VpcEndpoints")
    return visit.show(
        "target_create.html",
        form=form,
        error=error,
        interfaces=interface_choices(visit),
        balancers=balancers and [(each["LoadBalancerArn"], each["LoadBalancerName"]) for each in balancers],
        endpoints=endpoints and [named(each, "VpcEndpointId") for each in endpoints],
    )


def _sessions(visit: Visit, target_id: str) -> list[Any] | None:
    fields = {"Filter.1.Name": "traffic-mirror-target-id", "Filter.1.Value.1": target_id}
    return visit.try_list("DescribeTrafficMirrorSessions", "TrafficMirrorSessions", fields=fields)
