"""The volumes of instances, as far as an inventory tells of them: those that block devices of its instances name.

An inventory has no list of volumes. What ``DescribeInstances`` says of a block device is said of its volume, so that
Terraform finds the root device of an instance; size and type are not known and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Filters, member, page_size
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import by_place
from halfsilver.harness.control.operations.parameters import brief
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["describe_volumes"]

_FILTERS = {
    "attachment.attach-time": member("Attachments.AttachTime"),
    "attachment.delete-on-termination": member("Attachments.DeleteOnTermination"),
    "attachment.device": member("Attachments.Device"),
    "attachment.instance-id": member("Attachments.InstanceId"),
    "attachment.status": member("Attachments.State"),
    "availability-zone": member("AvailabilityZone"),
    "status": member("State"),
    "volume-id": member("VolumeId"),
}
_ID = re.compile("vol-[0-9a-f]{1,64}")


@operation("ec2", "DescribeVolumes")
def describe_volumes(context: Context, parameters: Parameters) -> dict[str, Any]:
    filters, wanted = Filters(parameters.get("Filters", ()), _FILTERS), parameters.get("VolumeIds") or []
    there = {volume.id: volume for volume in _volumes(context)}
    for identifier in wanted:
        if not _ID.fullmatch(identifier):
            raise ApiError("InvalidParameterValue", f"Value ({brief(identifier)}) for parameter volumes is invalid.")
        if identifier not in there:
            raise ApiError("InvalidVolume.NotFound", f"The volume '{brief(identifier)}' does not exist.")
    found = [
        volume.document
        for volume in there.values()
        if (not wanted or volume.id in wanted) and filters.match(context, volume)
    ]
    page, token = by_place(context, parameters, found, page_size(parameters))
    return {"Volumes": page, **token}


def _volumes(context: Context) -> Iterator[Record]:
    for instance in context.transaction.find(Kind.INSTANCE, account=context.caller.account):
        for device in instance.document.get("BlockDeviceMappings", ()):
            said = device.get("Ebs", {})
            if "VolumeId" in said:
                yield Record(Kind.VOLUME, said["VolumeId"], instance.account, _described(instance, device, said))


def _described(instance: Record, device: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    attachment = {"InstanceId": instance.id, "VolumeId": said["VolumeId"], "State": said.get("Status", "attached")}
    attachment |= {name: said[name] for name in ("AttachTime", "DeleteOnTermination") if name in said}
    attachment |= {"Device": device["DeviceName"]} if "DeviceName" in device else {}
    zone = instance.document.get("Placement", {}).get("AvailabilityZone")
    document = {"VolumeId": said["VolumeId"], "State": "in-use", "Attachments": [attachment]}
    return document | ({"AvailabilityZone": zone} if zone else {})
