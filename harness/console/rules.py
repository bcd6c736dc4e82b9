"""Rules of a filter: added, modified, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfsilver.harness.console.deletion import Question, ask_first, delete
from halfsilver.harness.console.filters import find_filter
from halfsilver.harness.console.frames.what_if import is_asked, what_if
from halfsilver.harness.console.visit import Visit, page, removals
from halfsilver.harness.console.web import Form, edited, shown
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.report.changes import Changes

__all__: list[str] = []

_FIELDS = ("TrafficDirection", "RuleNumber", "RuleAction", "SourceCidrBlock", "DestinationCidrBlock")
_RANGES = ("SourcePortRange", "DestinationPortRange")
_REMOVABLE = {
    "SourcePortRange": "source-port-range",
    "DestinationPortRange": "destination-port-range",
    "Protocol": "protocol",
    "Description": "description",
}
"""What a rule may be without, and what RemoveFields calls it."""
_DELETED = "Frames that it decided are decided by the rules behind it, or by none."


@page("GET", "/filters/{filter_id}/rules/create")
def ask_rule(visit: Visit, filter_id: str) -> Response:
    direction = "egress" if visit.query.get("direction") == "egress" else "ingress"
    return _form(visit, filter_id, Form({"TrafficDirection": direction}))


@page("POST", "/filters/{filter_id}/rules/create")
def create_rule(visit: Visit, filter_id: str) -> Response:
    fields = {"TrafficMirrorFilterId": filter_id, **_written(visit.form), **visit.form.given("ClientToken")}
    return _do(visit, "CreateTrafficMirrorFilterRule", fields, filter_id, None, "created")


@page("GET", "/filters/{filter_id}/rules/{rule_id}/modify")
def ask_modified_rule(visit: Visit, filter_id: str, rule_id: str) -> Response:
    rule = _find(visit, filter_id, rule_id)
    values = {name: str(rule[name]) for name in (*_FIELDS, "Protocol", "Description") if name in rule}
    values |= {name: _range(rule[name]) for name in _RANGES if name in rule}
    return _form(visit, filter_id, shown(values), rule_id)


@page("POST", "/filters/{filter_id}/rules/{rule_id}/modify")
def modify_rule(visit: Visit, filter_id: str, rule_id: str) -> Response:
    fields = _changes(visit.form, rule_id)
    return _do(visit, "ModifyTrafficMirrorFilterRule", fields, filter_id, rule_id, "modified")


@page("GET", "/filters/{filter_id}/rules/{rule_id}/delete")
def ask_to_delete_rule(visit: Visit, filter_id: str, rule_id: str) -> Response:
    return ask_first(visit, _question(filter_id, rule_id))


@page("POST", "/filters/{filter_id}/rules/{rule_id}/delete")
def delete_rule(visit: Visit, filter_id: str, rule_id: str) -> Response:
    fields = {"TrafficMirrorFilterRuleId": rule_id}
    question = _question(filter_id, rule_id)
    return delete(visit, question, "DeleteTrafficMirrorFilterRule", fields, behind=question.back)


def _question(filter_id: str, rule_id: str) -> Question:
    return Question(rule_id, _DELETED, f"/filters/{filter_id}")


def _do(
    visit: Visit, action: str, fields: Mapping[str, str], filter_id: str, rule_id: str | None, what: str
) -> Response:
    """Do it and go to the filter's page; or say what it would change, or why it was refused, on the form's page."""
    try:
        if is_asked(visit):
            return _form(visit, filter_id, visit.form, rule_id, changes=what_if(visit, action, fields))
        visit.ask(action, fields)
    except ApiError as error:
        return _form(visit, filter_id, visit.form, rule_id, error)
    return visit.done(f"/filters/{filter_id}", what)


def _form(
    visit: Visit,
    filter_id: str,
    form: Form,
    rule_id: str | None = None,
    error: ApiError | None = None,
    changes: Changes | None = None,
) -> Response:
    return visit.show("rule_form.html", error=error, filter_id=filter_id, rule_id=rule_id, form=form, changes=changes)


def _find(visit: Visit, filter_id: str, rule_id: str) -> Mapping[str, Any]:
    found = find_filter(visit, filter_id)
    rules = [*found["IngressFilterRules"], *found["EgressFilterRules"]]
    rule = next((each for each in rules if each["TrafficMirrorFilterRuleId"] == rule_id), None)
    if rule is None:
        message = f"The traffic mirror filter rule ID '{rule_id}' does not exist"
        raise ApiError("InvalidTrafficMirrorFilterRuleId.NotFound", message)
    return dict(rule)


def _written(form: Form) -> dict[str, str]:
    """The fields of the API's request that a form has."""
    fields = form.given(*_FIELDS, "Protocol", "Description")
    for name in _RANGES:
        first, dash, last = form.get(name).replace("–", "-").partition("-")
        if first or dash:
            fields |= {f"{name}.FromPort": first.strip(), f"{name}.ToPort": last.strip() if dash else first.strip()}
    return fields


def _changes(form: Form, rule_id: str) -> dict[str, str]:
    """The same for a modification: what was changed, and what has no value any more is removed."""
    edit = edited(form)
    return {"TrafficMirrorFilterRuleId": rule_id, **_written(edit), **removals(edit, _REMOVABLE)}


def _range(ports: Mapping[str, int]) -> str:
    first, last = ports["FromPort"], ports["ToPort"]
    return str(first) if first == last else f"{first}-{last}"
