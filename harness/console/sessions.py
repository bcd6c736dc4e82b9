"""Mirror sessions: the guide's "Create, modify, or delete a traffic mirror session", and why one is not active."""

from __future__ import annotations

from typing import Any, NamedTuple

from halfsilver.harness.console.counters import charts_of, may_count
from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.frames.what_if import is_asked, what_if
from halfsilver.harness.console.lists import Column, description_of, listed, name_of
from halfsilver.harness.console.targets import interface_choices, named
from halfsilver.harness.console.visit import Visit, page, removals, tag_fields
from halfsilver.harness.console.web import EMPTY, Form, edited, shown
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.report.changes import Changes
from halfsilver.harness.report.page.charts import Chart

__all__ = ["Standing"]

_NUMBERS = ("SessionNumber", "VirtualNetworkId", "PacketLength")
_REFERENCES = ("TrafficMirrorTargetId", "TrafficMirrorFilterId")
_REMOVABLE = {"PacketLength": "packet-length", "VirtualNetworkId": "virtual-network-id", "Description": "description"}
"""What a session may be without, and what RemoveFields calls it."""
_WHOLE = 1 << 16
"""Whole packets, among packet lengths: longer than all of them."""
_DELETED = "Nothing more is mirrored by it."


class Standing(NamedTuple):
    """``active``, ``stopped`` until it is modified, ``down`` until its target is there, or ``elsewhere``; and why.

    ``obstacles``: why the target cannot receive the copies that are sent.
    """

    state: str
    reason: str | None
    obstacles: tuple[str, ...] = ()


def _standings(visit: Visit) -> dict[str, Standing]:
    """Of the sessions that this NIC knows."""
    interfaces = visit.control.status(visit.caller.account)["interfaces"]
    return {
        session["id"]: Standing(session["state"], session["reason"], tuple(session["obstacles"]))
        for interface in interfaces
        for session in interface["sessions"]
    }


def _standing(visit: Visit, known: dict[str, Standing], session: Any) -> Standing:
    not_carried = f"this NIC does not carry {session['NetworkInterfaceId']}"
    why = f"the NIC is in {visit.control.settings.region}" if visit.region else not_carried
    return known.get(session["TrafficMirrorSessionId"], Standing("elsewhere", why))


@page("GET", "/sessions")
def show_sessions(visit: Visit) -> Response:
    known = _standings(visit)

    def standing(session: Any) -> Standing:
        return _standing(visit, known, session)

    def words(session: Any) -> tuple[str, ...]:
        found = standing(session)
        return (found.reason or "", *found.obstacles)

    columns = (
        Column("id", "session", lambda each: str(each["TrafficMirrorSessionId"])),
        Column("name", "name", name_of),
        Column("state", "state", lambda each: standing(each).state),
        Column("source", "source", lambda each: str(each["NetworkInterfaceId"])),
        Column("number", "number", lambda each: int(each["SessionNumber"]), numeric=True),
        Column("target", "target", lambda each: str(each["TrafficMirrorTargetId"])),
        Column("filter", "filter", lambda each: str(each["TrafficMirrorFilterId"])),
        Column("vni", "VNI", lambda each: int(each["VirtualNetworkId"]), numeric=True),
        Column("length", "packet length", lambda each: int(each.get("PacketLength") or _WHOLE), numeric=True),
        Column("owner", "owner", lambda each: str(each["OwnerId"])),
        Column("description", "description", description_of),
    )
    found = listed(visit, "DescribeTrafficMirrorSessions", "TrafficMirrorSessions", columns, words)
    return visit.show("sessions.html", list=found, standing_of=standing)


@page("GET", "/sessions/create")
def ask_session(visit: Visit) -> Response:
    return _form(visit, EMPTY)


@page("POST", "/sessions/create")
def create_session(visit: Visit) -> Response:
    fields = visit.form.given("NetworkInterfaceId", "Description", "ClientToken", *_REFERENCES, *_NUMBERS)
    tags = tag_fields(visit.form, "TagSpecification.1.Tag")
    if tags:
        fields |= {"TagSpecification.1.ResourceType": "traffic-mirror-session", **tags}
    try:
        if is_asked(visit):
            return _form(visit, visit.form, changes=what_if(visit, "CreateTrafficMirrorSession", fields))
        made = visit.ask("CreateTrafficMirrorSession", fields)["TrafficMirrorSession"]
    except ApiError as error:
        return _form(visit, visit.form, error=error)
    return visit.done(f"/sessions/{made['TrafficMirrorSessionId']}", "created")


@page("GET", "/sessions/{session_id}")
def show_session(visit: Visit, session_id: str) -> Response:
    session = _find(visit, session_id)
    standing = _standing(visit, _standings(visit), session)
    return visit.show(
        "session.html", session=session, standing=standing, session_id=session_id, charts=_charts(visit, session_id)
    )


@page("GET", "/sessions/{session_id}/modify")
def ask_modified_session(visit: Visit, session_id: str) -> Response:
    session = _find(visit, session_id)
    names = ("Description", *_REFERENCES, *_NUMBERS)
    return _form(visit, shown({name: str(session[name]) for name in names if name in session}), session_id)


@page("POST", "/sessions/{session_id}/modify")
def modify_session(visit: Visit, session_id: str) -> Response:
    form, edit = visit.form, edited(visit.form)
    fields = {
        "TrafficMirrorSessionId": session_id,
        **edit.given("Description", *_REFERENCES, *_NUMBERS),
        **removals(edit, _REMOVABLE),
    }
    try:
        if is_asked(visit):
            return _form(visit, form, session_id, changes=what_if(visit, "ModifyTrafficMirrorSession", fields))
        visit.ask("ModifyTrafficMirrorSession", fields)
    except ApiError as error:
        return _form(visit, form, session_id, error)
    return visit.done(f"/sessions/{session_id}", "modified")


@page("GET", "/sessions/{session_id}/delete")
def ask_to_delete_session(visit: Visit, session_id: str) -> Response:
    return ask_first(visit, _question(session_id))


@page("POST", "/sessions/{session_id}/delete")
def delete_session(visit: Visit, session_id: str) -> Response:
    fields = {"TrafficMirrorSessionId": session_id}
    return delete(visit, _question(session_id), "DeleteTrafficMirrorSession", fields, behind="/sessions")


def _question(session_id: str) -> Question:
    return Question(session_id, _DELETED, f"/sessions/{session_id}")


def _charts(visit: Visit, session_id: str) -> list[Chart]:
    """Of the last hour; none where the user may not see them."""
    try:
        may_count(visit)
        return list(charts_of(visit, session_id))
    except ApiError:
        return []


def _find(visit: Visit, session_id: str) -> Any:
    fields = {"TrafficMirrorSessionId.1": session_id}
    return visit.ask("DescribeTrafficMirrorSessions", fields)["TrafficMirrorSessions"][0]


def _form(
    visit: Visit,
    form: Form,
    session_id: str | None = None,
    error: ApiError | None = None,
    changes: Changes | None = None,
) -> Response:
    targets = visit.try_list("DescribeTrafficMirrorTargets", "TrafficMirrorTargets")
    filters = visit.try_list("DescribeTrafficMirrorFilters", "TrafficMirrorFilters")
    return visit.show(
        "session_form.html",
        error=error,
        form=form,
        id=session_id,
        changes=changes,
        sources=None if session_id else interface_choices(visit),
        targets=targets and [named(each, "TrafficMirrorTargetId") for each in targets],
        filters=filters and [named(each, "TrafficMirrorFilterId") for each in filters],
    )
