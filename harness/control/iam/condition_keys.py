"""What a policy's conditions can ask about a request: keys, in lower case, and their values.

Sources: as in ``authorization``. A key that has no value here is absent for the condition operators. Keys of tags
hold the tag's name after a slash; names that differ in case only are one key with several values, because IAM does
not look at the case of keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from halfsilver.harness.control.operations.call import Call, Parameters, Settings
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.operations.sharing import SHARED_TYPE
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["Values", "of_account", "of_attributes", "of_record", "of_request", "of_tags"]

Values = Mapping[str, tuple[str, ...]]


def of_request(call: Call, settings: Settings) -> Values:
    """Who, when, where from: the same for every resource of the request."""
    caller = call.caller
    known = {
        "aws:currenttime": call.now.isoformat(),
        "aws:epochtime": str(int(call.now.timestamp())),
        "aws:principalaccount": caller.account,
        "aws:principalarn": caller.principal,
        "aws:principalisawsservice": "false",
        "aws:principaltype": "User" if caller.session is None else "AssumedRole",
        "aws:requestedregion": settings.region,
        "aws:securetransport": _text(call.secure),
        "aws:sourceip": call.source_ip,
        "aws:tokenissuetime": "" if caller.session is None else caller.session.began.isoformat(),
        "aws:userid": caller.user_id,
        "aws:username": caller.user_name,
        "aws:viaawsservice": "false",
    }
    if call.service == "ec2":
        known["ec2:region"] = settings.region
    values = {key: (value,) for key, value in known.items() if value}
    return values if call.service != "ram" else {**values, **_of_share_request(call)}


def of_account(account: str) -> Values:
    """Whose resource it is."""
    return {"aws:resourceaccount": (account,)}


def of_tags(parameters: Parameters) -> Values:
    """What the request brings: ``TagSpecifications`` of EC2, ``Tags`` of CreateTags and CloudWatch, ``tags`` of RAM."""
    pairs: list[tuple[str, str]] = []
    for specification in parameters.get("TagSpecifications") or ():
        pairs += _pairs(specification.get("Tags") or (), "Key", "Value")
    pairs += _pairs(parameters.get("Tags") or (), "Key", "Value")
    pairs += _pairs(parameters.get("tags") or (), "key", "value")
    names = [name for name, _ in pairs] + [*(parameters.get("tagKeys") or ()), *(parameters.get("TagKeys") or ())]
    if not names:
        return {}
    return {**_by_name("aws:requesttag/", pairs), "aws:tagkeys": tuple(dict.fromkeys(names))}


def of_attributes(call: Call) -> Values:
    """What a Modify operation sets: the names of its parameters, and the value of each that has one or several."""
    if not call.operation.startswith("Modify"):
        return {}
    named = call.operation.removeprefix("Modify").removesuffix("NetworkServices") + "Id"
    attributes = {
        name: value for name, value in call.parameters.items() if name not in (named, "DryRun") and value is not None
    }
    if not attributes:
        return {}
    known: dict[str, tuple[str, ...]] = {"ec2:attribute": tuple(attributes)}
    for name, value in attributes.items():
        if not isinstance(value, Mapping):
            values = value if isinstance(value, list) else [value]
            known[f"ec2:attribute/{name.lower()}"] = tuple(_text(each) for each in values)
    return known


def of_record(context: Context, record: Record) -> Values:
    """What is known of a resource: its tags, the place of an interface, how a share may be used."""
    known = {
        **_by_name("aws:resourcetag/", record.tags.items()),
        **_by_name(f"{context.call.service}:resourcetag/", record.tags.items()),
    }
    if record.kind == Kind.INTERFACE:
        known.update(_of_interface(context, record))
    if record.kind == Kind.RESOURCE_SHARE:
        known["ram:resourcesharename"] = (str(record.document.get("name", "")),)
        known["ram:allowsexternalprincipals"] = (_text(record.document.get("allowExternalPrincipals", True)),)
    if record.kind == Kind.SHARE_INVITATION:
        share = context.transaction.get(Kind.RESOURCE_SHARE, record.parent)
        if share is not None:
            known["ram:resourcesharename"] = (str(share.document.get("name", "")),)
            known["ram:shareowneraccountid"] = (share.account,)
    return known


def _of_interface(context: Context, record: Record) -> Values:
    known = {"ec2:networkinterfaceid": (record.id,)}
    if record.document.get("AvailabilityZone"):
        known["ec2:availabilityzone"] = (record.document["AvailabilityZone"],)
    places = {
        kind: record.document[member]
        for kind, member in ((Kind.VPC, "VpcId"), (Kind.SUBNET, "SubnetId"))
        if record.document.get(member)
    }
    owners = {
        place.id: place.account for place in context.transaction.find(tuple(places), identifiers=[*places.values()])
    }
    for kind, identifier in places.items():
        account = owners.get(identifier, record.account)
        known[f"ec2:{kind}"] = (context.settings.arn("ec2", account, f"{kind}/{identifier}"),)
    return known


def _of_share_request(call: Call) -> Values:
    """What a RAM request shares, with whom. A new share is open to other organisations unless it says no."""
    parameters = call.parameters
    known: dict[str, tuple[str, ...]] = {}
    if parameters.get("principals"):
        known["ram:principal"] = tuple(parameters["principals"])
    if parameters.get("resourceArns"):
        known["ram:resourcearn"] = tuple(parameters["resourceArns"])
        if any(f":{TYPES[Kind.TARGET]}/" in arn for arn in parameters["resourceArns"]):
            known["ram:requestedresourcetype"] = (SHARED_TYPE,)
    external = parameters.get("allowExternalPrincipals", True if call.operation == "CreateResourceShare" else None)
    if external is not None:
        known["ram:requestedallowsexternalprincipals"] = (_text(external),)
    return known


def _pairs(tags: Iterable[Mapping[str, Any]], key: str, value: str) -> list[tuple[str, str]]:
    return [(str(tag.get(key) or ""), str(tag.get(value) or "")) for tag in tags]


def _by_name(prefix: str, tags: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for name, value in tags:
        key = prefix + name.lower()
        known[key] = (*known.get(key, ()), value)
    return known


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
