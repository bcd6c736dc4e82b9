"""Regions and Availability Zones as EC2 shows them: the one region of the server, and the zones of the inventory."""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.listing import Filters, member
from halfsilver.harness.control.operations.operation import Context, operation
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
    name = context.settings.region
    suffix = "amazonaws.com.cn" if context.settings.partition == "aws-cn" else "amazonaws.com"
    region = {"RegionName": name, "Endpoint": f"ec2.{name}.{suffix}", "OptInStatus": "opt-in-not-required"}
    filters = Filters(parameters.get("Filters", ()), _REGION_FILTERS)
    unknown = [each for each in parameters.get("RegionNames", ()) if each != name]
    if unknown:
        raise ApiError("InvalidParameterValue", f"Invalid region name: [{unknown[0][:64]}]")
    return {"Regions": [region] if filters.match(context, Record(Kind.REGION, name, "", region)) else []}


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
