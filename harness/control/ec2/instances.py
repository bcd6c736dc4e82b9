"""What EC2 says beside the instances themselves: their types and single attributes, as Terraform reads them.

An inventory says little of an instance type. What its name tells is said of every type that botocore's model knows:
whether it is bare metal, and whether its performance is burstable (families t1 to t4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from halfsilver.harness.control.ec2.network import describe_instances
from halfsilver.harness.control.inventory.objects import model
from halfsilver.harness.control.operations import identifiers
from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.listing import Filters, Listing, describe, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import by_place
from halfsilver.harness.control.operations.parameters import invalid
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["describe_instance_attribute", "describe_instance_credit_specifications", "describe_instance_types"]

_TYPE_FILTERS = {
    "bare-metal": member("BareMetal"),
    "burstable-performance-supported": member("BurstablePerformanceSupported"),
    "instance-type": member("InstanceType"),
}
_SMALLEST_PAGE, _LARGEST_PAGE = 5, 100
"""Instance types on a page (EC2 API)."""
_BURSTABLE = re.compile(r"t[1-4][a-z]*\.")
_LISTS = ("blockDeviceMapping", "groupSet", "productCodes")
_RESULTS = {
    "blockDeviceMapping": "BlockDeviceMappings",
    "groupSet": "Groups",
    "kernel": "KernelId",
    "ramdisk": "RamdiskId",
}
"""Attributes whose member of the result has another name."""
_MEMBERS = {"groupSet": "SecurityGroups"}
"""The same of the instance's member."""
_UNCHANGED = {
    "disableApiStop": False,
    "disableApiTermination": False,
    "ebsOptimized": False,
    "enaSupport": True,
    "enclaveOptions": {"Enabled": False},
    "instanceInitiatedShutdownBehavior": "stop",
    "sourceDestCheck": True,
}
"""What an instance has as EC2 makes it, of what DescribeInstances may not tell."""


@operation("ec2", "DescribeInstanceTypes")
def describe_instance_types(context: Context, parameters: Parameters) -> dict[str, Any]:
    filters = Filters(parameters.get("Filters", ()), _TYPE_FILTERS)
    known: list[str] = sorted(model("ec2").shape_for("InstanceType").enum)
    wanted = parameters.get("InstanceTypes") or known
    size = parameters.get("MaxResults", _LARGEST_PAGE)
    if not _SMALLEST_PAGE <= size <= _LARGEST_PAGE:
        raise invalid("MaxResults", size, f"Expecting a value from {_SMALLEST_PAGE} to {_LARGEST_PAGE}.")
    records = [Record(Kind.INSTANCE_TYPE, name, "", _described(name)) for name in known if name in set(wanted)]
    found = [record.document for record in records if filters.match(context, record)]
    page, token = by_place(context, parameters, found, size)
    return {"InstanceTypes": page, **token}


def _render_credits(_: Context, records: Sequence[Record]) -> list[dict[str, Any]]:
    """What AWS gives a burstable instance that nobody has asked another for: t2 standard, later ones unlimited."""
    burstable = [each for each in records if _BURSTABLE.match(each.document.get("InstanceType", ""))]
    return [
        {
            "InstanceId": each.id,
            "CpuCredits": "standard" if each.document["InstanceType"].startswith("t2.") else "unlimited",
        }
        for each in burstable
    ]


_CREDITS = Listing(
    kind=Kind.INSTANCE,
    result="InstanceCreditSpecifications",
    ids="InstanceIds",
    not_found="InvalidInstanceID.NotFound",
    noun="instance",
    filters={"instance-id": member("InstanceId")},
    render=_render_credits,
    id_filter="instance-id",
)


@operation("ec2", "DescribeInstanceCreditSpecifications")
def describe_instance_credit_specifications(context: Context, parameters: Parameters) -> dict[str, Any]:
    """Of burstable instances; others are left out, even where they are named."""
    for identifier in parameters.get("InstanceIds", ()):
        identifiers.check_form(Kind.INSTANCE, identifier)
    return describe(context, parameters, _CREDITS)


def _described(name: str) -> dict[str, Any]:
    return {
        "InstanceType": name,
        "BareMetal": name.partition(".")[2].startswith("metal"),
        "BurstablePerformanceSupported": _BURSTABLE.match(name) is not None,
    }


@operation("ec2", "DescribeInstanceAttribute")
def describe_instance_attribute(context: Context, parameters: Parameters) -> dict[str, Any]:
    """One attribute: what the inventory says of it, and else what an instance has that nobody has changed."""
    identifier, name = parameters["InstanceId"], parameters["Attribute"]
    (reservation,) = describe_instances(context, {"InstanceIds": [identifier]})["Reservations"]
    instance, result = reservation["Instances"][0], _RESULTS.get(name, name[0].upper() + name[1:])
    value = instance.get(_MEMBERS.get(name, result), _UNCHANGED.get(name))
    if name in _LISTS:
        return {"InstanceId": identifier, result: value or []}
    if name == "enclaveOptions":
        return {"InstanceId": identifier, result: value}
    return {"InstanceId": identifier, result: {} if value is None else {"Value": value}}
