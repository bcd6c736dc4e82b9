"""Service Quotas: those of Traffic Mirroring and of tags, as this server counts them. Read only.

AWS's own quota codes of Traffic Mirroring are not public (its guide has names and numbers); those here are ours and
begin with ``L-MIRROR``. The names are the guide's ("Quotas and considerations").
"""

from __future__ import annotations

from typing import Any

from halfsilver.harness.control.operations.call import Parameters
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context, operation
from halfsilver.harness.control.operations.pages import Paging
from halfsilver.harness.control.state.record import Kind, Record

__all__ = ["QUOTAS", "get_service_quota", "list_service_quotas"]

SERVICES = {"ec2": "Amazon Elastic Compute Cloud (Amazon EC2)", "vpc": "Amazon Virtual Private Cloud (Amazon VPC)"}
"""Those whose quotas somebody may ask for; Traffic Mirroring's are VPC's."""
QUOTAS = {
    "sessions": ("L-MIRROR01", "Traffic mirror sessions per account"),
    "sessions_per_interface": ("L-MIRROR02", "Traffic mirror sessions per source network interface"),
    "targets": ("L-MIRROR03", "Traffic mirror targets per account"),
    "filters": ("L-MIRROR04", "Traffic mirror filters per account"),
    "rules_per_filter": ("L-MIRROR05", "Traffic mirror filter rules per filter"),
    "sources_per_interface_target": ("L-MIRROR06", "Traffic mirror sources per network interface target"),
    "tags_per_resource": ("L-MIRROR07", "Tags per resource"),
    "sessions_per_target": ("L-MIRROR08", "Traffic mirror sessions per target"),
}
"""Code and name of each quota of ``operations.quotas.Quotas``."""
_PAGING = Paging("MaxResults", "NextToken", "NextToken", 100, "InvalidPaginationTokenException")


@operation("service-quotas", "ListServiceQuotas")
def list_service_quotas(context: Context, parameters: Parameters) -> dict[str, Any]:
    """All of a service at the level of the account; others have no level of their own here."""
    quotas = _quotas(context, parameters["ServiceCode"])
    wanted = parameters.get("QuotaCode")
    if parameters.get("QuotaAppliedAtLevel") == "RESOURCE":
        quotas = []
    records = [
        Record(Kind.QUOTA, each["QuotaCode"], "", each, serial=index + 1)
        for index, each in enumerate(quotas)
        if wanted in (None, each["QuotaCode"])
    ]
    page, token = _PAGING.cut(context, parameters, records)
    return {"Quotas": [record.document for record in page], **token}


@operation("service-quotas", "GetServiceQuota")
def get_service_quota(context: Context, parameters: Parameters) -> dict[str, Any]:
    code = parameters["QuotaCode"]
    found = [each for each in _quotas(context, parameters["ServiceCode"]) if each["QuotaCode"] == code]
    if not found or parameters.get("ContextId"):
        raise _unknown()
    return {"Quota": found[0]}


def _quotas(context: Context, service: str) -> list[dict[str, Any]]:
    if service not in SERVICES:
        raise _unknown()
    if service != "vpc":
        return []
    return [
        {
            "ServiceCode": service,
            "ServiceName": SERVICES[service],
            "QuotaArn": context.settings.arn("servicequotas", context.caller.account, f"{service}/{code}"),
            "QuotaCode": code,
            "QuotaName": name,
            "Value": float(getattr(context.settings.quotas, member)),
            "Unit": "None",
            "Adjustable": False,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": "ACCOUNT",
        }
        for member, (code, name) in QUOTAS.items()
    ]


def _unknown() -> ApiError:
    return ApiError(
        "NoSuchResourceException", "The request failed because the specified service or quota does not exist."
    )
