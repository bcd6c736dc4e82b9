"""Regions and Availability Zones as EC2 shows them: all regions, and the zones of the inventory in the server's own."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Filters, member
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.regions import ALWAYS_ON
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["describe_availability_zones", "describe_regions"]

_REGION_FILTERS = {
    "endpoint": member("Endpoint"),
    "opt-in-status": member("OptInStatus"),
    "region-name": member("RegionName"),
}
_ZONE_FILTERS = {
    "group-name": member("GroupName"),
    "message": member("Messages.Message"),
    "opt-in-status": member("OptInStatus"),
    "parent-zone-id": member("ParentZoneId"),
    "parent-zone-name": member("ParentZoneName"),
    "region-name": member("RegionName"),
    "state": member("State"),
    "zone-id": member("ZoneId"),
    "zone-name": member("ZoneName"),
    "zone-type": member("ZoneType"),
}


@operation("ec2", "DescribeRegions")
def describe_regions(context: Context, parameters: Parameters) -> dict[str, Any]:
    names = {context.settings.region, *context.settings.regions}
    filters = Filters(parameters.get("Filters", ()), _REGION_FILTERS)
    wanted = parameters.get("RegionNames") or names
    unknown = [each for each in wanted if each not in names]
    if unknown:
        raise ApiError("InvalidParameterValue", f"Invalid region name: [{unknown[0][:64]}]")
    records = [Record(Kind.REGION, name, "", _region(context, name)) for name in sorted(set(wanted))]
    return {"Regions": [record.document for record in records if filters.match(context, record)]}


def _region(context: Context, name: str) -> dict[str, Any]:
    suffix = "amazonaws.com.cn" if context.settings.partition == "aws-cn" else "amazonaws.com"
    status = "opt-in-not-required" if name in ALWAYS_ON else "opted-in"
    return {"RegionName": name, "Endpoint": f"ec2.{name}.{suffix}", "OptInStatus": status}


@operation("ec2", "DescribeAvailabilityZones")
def describe_availability_zones(context: Context, parameters: Parameters) -> dict[str, Any]:
    filters = Filters(parameters.get("Filters", ()), _ZONE_FILTERS)
    zones = context.transaction.find(Kind.ZONE)
    for asked, name, words in (("ZoneNames", "ZoneName", "zone"), ("ZoneIds", "ZoneId", "zone-id")):
        wanted = parameters.get(asked)
        if wanted:
            known = {zone.document.get(name) for zone in zones}
            unknown = [each for each in wanted if each not in known]
            if unknown:
                raise ApiError("InvalidParameterValue", f"Invalid availability {words}: [{unknown[0][:64]}]")
            zones = [zone for zone in zones if zone.document.get(name) in wanted]
    return {"AvailabilityZones": [zone.document for zone in zones if filters.match(context, zone)]}
