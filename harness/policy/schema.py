"""A JSON Schema of a policy file (draft 2020-12), made from the fields that the reader reads through.

Whatever the schema refuses, the reader refuses too. What a schema cannot say stands in ``CANNOT_SAY``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from halfsilver.harness.policy.fields import Field, Object, Objects, Schema
from halfsilver.harness.policy.members import OUTSIDE, is_strict, list_shapes, members_of
from halfsilver.harness.policy.reader import DESTINATIONS, LISTS

__all__ = ["CANNOT_SAY", "DRAFT", "policy_schema"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
CANNOT_SAY = (
    "that ids, MAC addresses, rule and session numbers and keys are not there twice",
    "that an id leads to an object of its list, and that a source is no target",
    "how many rules a filter, sessions a source and sources a NIC may have",
    "which ports, networks and ICMP types go with which protocol and with one another; that ranges ascend and networks "
    "have no host bits; that an address is unicast",
    "which packet length goes with which target",
    "that a name is a misspelling of one that is known, where unknown ones are let pass",
    "what the tags `halfsilver:...` may say",
    "that a whole number is written without a point",
)
"""What only the reader checks (`halfsilver check`)."""


def policy_schema() -> Schema:
    """The schema, for ``json.dumps``."""
    shapes = list_shapes()
    properties: Schema = {
        name: {"anyOf": [{"type": "array", "items": {"$ref": f"#/$defs/{name}"}}, {"type": "null"}]} for name in LISTS
    }
    properties[OUTSIDE] = {"description": "Rules are those inside TrafficMirrorFilters.", "enum": [[], None]}
    definitions = {name: _object(shapes[name], fields, is_strict(shapes[name])) for name, fields in LISTS.items()}
    definitions["TrafficMirrorTargets"]["oneOf"] = [
        {"required": [key], "properties": {key: {"not": {"type": "null"}}}} for key in DESTINATIONS
    ]
    return {
        "$schema": DRAFT,
        "title": "Policy of Halfsilver (mirror.json)",
        "description": "What aws ec2 describe-* prints, in one object. Null counts as absent. What this schema cannot "
        f"say, `halfsilver check` does: {'; '.join(CANNOT_SAY)}.",
        "type": "object",
        "properties": properties,
        "anyOf": [{"required": [name]} for name in LISTS],
        "$defs": definitions,
    }


def _object(shape: str, fields: Sequence[Field], strict: bool, when: tuple[str, object] | None = None) -> Schema:
    """An object of a shape of AWS's; ``when`` as in ``Objects``."""
    known = {field.name: field for field in fields}
    members = members_of(shape)
    read = {name: _member(known[name], members[name], strict) for name in members if name in known}
    required = [field.name for field in fields if field.required]
    found: Schema = {"type": "object"}
    if when is None:
        found |= {"properties": read, "required": required}
    else:
        key, value = when
        found |= {"properties": {key: read.pop(key)}, "required": [key]}
        found["if"] = {"properties": {key: {"const": value}}}
        found["then"] = {"properties": read, "required": [name for name in required if name != key]}
    found["properties"] |= {name: _unread(members[name], strict) for name in members if name not in known}
    if strict and when is None:
        found["additionalProperties"] = False
    elif strict:
        found["propertyNames"] = {"enum": list(members)}
    return found


def _member(field: Field, shape: str, strict: bool) -> Schema:
    """What a member is that the reader reads; null stands for its absence."""
    value = field.schema()
    if isinstance(field, Object | Objects) and shape:
        when = field.when if isinstance(field, Objects) else None
        inside = _object(shape, field.fields, strict or is_strict(shape), when)
        value = inside if isinstance(field, Object) else {**value, "items": inside}
    if not field.required and value:
        value = {"anyOf": [value, {"type": "null"}]}
    return {"description": field.meaning, **value}


def _unread(shape: str, strict: bool) -> dict[str, Any]:
    """A member of AWS's that mirroring does not read; its own members have to be AWS's all the same, where strict."""
    found: Schema = {"description": "AWS's; mirroring does not read it"}
    if shape and (strict or is_strict(shape)):
        names = {"propertyNames": {"enum": list(members_of(shape))}}
        found |= {**names, "items": names}
    return found
