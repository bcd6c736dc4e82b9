"""The tables of api.md, from the code of the server and botocore's service models.

What is written by hand here is checked against the code: that every error has its line and every line its error, that
parameters without effect are called so (tests/test_api_docs.py).
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from api_errors import ERRORS
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

import halfsilver.harness.control
from halfsilver.harness.control import elbv2, sts
from halfsilver.harness.control.catalogue import MODULES, OPERATIONS
from halfsilver.harness.control.cloudwatch import alarms
from halfsilver.harness.control.ec2 import mirror_objects, tags
from halfsilver.harness.control.http import accepting, app, bodies, connections
from halfsilver.harness.control.http.crowding import Bounds
from halfsilver.harness.control.http.protocols import faults, limits
from halfsilver.harness.control.iam import authentication_errors, authorization
from halfsilver.harness.control.operations import identifiers
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.operations.listing import Listing
from halfsilver.harness.control.operations.quotas import Quotas
from halfsilver.harness.control.operations.resources import Given
from halfsilver.harness.control.plane import data_plane
from halfsilver.harness.control.ram import invitations

__all__ = ["TABLES", "WITHOUT_EFFECT", "collect_errors", "model"]

SOURCES = Path(halfsilver.harness.control.__file__).parent

WITHOUT_EFFECT: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("cloudwatch", "GetMetricData"): {"LabelOptions": "no effect, labels have no times"},
    ("cloudwatch", "ListMetrics"): {"IncludeLinkedAccounts": "no effect, no accounts are linked"},
    ("ec2", "DescribeAvailabilityZones"): {"AllAvailabilityZones": "no effect, all zones of the inventory are shown"},
    ("ec2", "DescribeInstances"): {"IncludeManagedResources": "no effect, everything is shown"},
    ("ec2", "DescribeNetworkInterfaces"): {"IncludeManagedResources": "no effect, everything is shown"},
    ("ec2", "DescribeVolumes"): {"IncludeManagedResources": "no effect, everything is shown"},
    ("ec2", "DescribePrefixLists"): {
        name: "no effect, the answer is an empty list"
        for name in ("Filters", "MaxResults", "NextToken", "PrefixListIds")
    },
    ("ec2", "DescribeRegions"): {"AllRegions": "no effect, all regions are shown"},
    ("ec2", "DescribeInstanceTypes"): {"IncludeUnsupportedInRegion": "no effect, all types are in every region"},
    ("elbv2", "DescribeTargetHealth"): {"Include": "no effect, the inventory has what it has"},
    ("resourcegroupstaggingapi", "GetResources"): {
        name: "no effect, there are no tag policies"
        for name in ("IncludeComplianceDetails", "ExcludeCompliantResources")
    },
    **dict.fromkeys(
        (("sts", "AssumeRole"), ("sts", "GetSessionToken")),
        {"MinimumSessionTokenSize": "no effect, a token is as long as what it says"},
    ),
    ("ram", "CreateResourceShare"): {
        name: "no effect" for name in ("permissionTemplateParameters", "resourceShareConfiguration")
    },
    ("ram", "GetResourceShares"): {"permissionArn": "no effect", "permissionVersion": "no effect"},
    ("ram", "ListResources"): {"resourceRegionScope": "no effect, all are regional"},
    ("ram", "ListResourceSharePermissions"): {
        name: "no effect, the answer is an empty list" for name in ("maxResults", "nextToken")
    },
    ("ram", "ListResourceTypes"): {name: "no effect, there is one type" for name in ("maxResults", "nextToken")},
}
"""By service and operation: parameters that are read (a wrong type is refused) and then change nothing."""

_DEFAULT_ONLY = "the default permission only, others are `InvalidParameterException`"
_NO_SOURCES = "empty only, others are `InvalidParameterException`"
_ONE_TYPE = "`ec2:TrafficMirrorTarget` only, others are"
_REFUSED = "refused, `ValidationError`"
_NO_SUCH_ALARMS = "the answer is empty, there are metric alarms alone"
_LIMITED: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("cloudwatch", "DescribeAlarmHistory"): {"AlarmContributorId": _NO_SUCH_ALARMS},
    ("cloudwatch", "DescribeAlarms"): {name: _NO_SUCH_ALARMS for name in ("ChildrenOfAlarmName", "ParentsOfAlarmName")},
    ("cloudwatch", "DescribeAlarmsForMetric"): {"ExtendedStatistic": _NO_SUCH_ALARMS},
    ("cloudwatch", "GetMetricStatistics"): {"ExtendedStatistics": "refused, `InvalidParameterValue`"},
    ("cloudwatch", "PutMetricAlarm"): {name: _REFUSED for name in alarms.NOT_SERVED},
    ("ram", "AssociateResourceShare"): {"sources": _NO_SOURCES},
    ("ram", "CreateResourceShare"): {"permissionArns": _DEFAULT_ONLY, "sources": _NO_SOURCES},
    ("ram", "DisassociateResourceShare"): {"sources": _NO_SOURCES},
    ("ram", "ListPrincipals"): {"resourceType": f"{_ONE_TYPE} `InvalidParameterException`"},
    ("ram", "ListResources"): {"resourceType": f"{_ONE_TYPE} `InvalidResourceTypeException`"},
    ("sts", "AssumeRole"): {name: _REFUSED for name in sts.NOT_SERVED},
    ("sts", "GetSessionToken"): {name: _REFUSED for name in ("SerialNumber", "TokenCode")},
}
"""Parameters that take less than AWS's."""


def model(service: str, operation: str) -> OperationModel:
    """botocore's model of an operation."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service).operation_model(operation)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [list(row) for row in rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Operations.


def _operations(service: str) -> Iterator[str]:
    return (name for its, name in sorted(OPERATIONS) if its == service)


def _coverage(service: str) -> str:
    """Operations and their parameters, one by one."""
    rows = []
    for name in _operations(service):
        shape = model(service, name).input_shape
        less = {**WITHOUT_EFFECT.get((service, name), {}), **_LIMITED.get((service, name), {})}
        members = [] if shape is None else list(shape.members)
        rows.append(
            (
                f"`{name}`",
                ", ".join(member for member in members if member not in less),
                "; ".join(f"{member}: {less[member]}" for member in members if member in less),
            )
        )
    return _table(("operation", "parameters", "taken, but"), rows)


def _filters() -> str:
    """The filters of each Describe operation of EC2."""
    named = {
        "DescribeRegions": "_REGION_FILTERS",
        "DescribeAvailabilityZones": "_ZONE_FILTERS",
        "DescribeInstanceTypes": "_TYPE_FILTERS",
        "DescribeTags": "_FILTERS",
        "DescribeVolumes": "_FILTERS",
    }
    rows = []
    for name in _operations("ec2"):
        output = model("ec2", name).output_shape
        modules = [vars(module) for module in MODULES]
        module = vars(next(each for each in MODULES if each.__name__ == OPERATIONS["ec2", name].handler.__module__))
        listings = [each for variables in modules for each in variables.values() if isinstance(each, Listing)]
        found = next(
            (
                each.filters
                for each in listings
                if output is not None and each.result in output.members and name.startswith("Describe")
            ),
            None,
        )
        known = module[named[name]] if name in named else found
        if known:
            rows.append((f"`{name}`", ", ".join(f"`{each}`" for each in sorted(known))))
    return _table(("operation", "filters"), rows)


def _resources() -> str:
    """What IAM policies are asked about, by action."""
    rows = []
    for (service, name), each in sorted(OPERATIONS.items()):
        if not each.on:
            continue
        words = []
        for need in each.on:
            given = need if isinstance(need, Given) else None
            kind = given.owner or given.kind if given else need.kind
            words.append(f"`{TYPES[kind]}`" if kind else "whatever is named")
            if given and given.optional:
                words[-1] += ", if named"
        rows.append((f"`{service}:{name}`", "; ".join(words)))
    return _table(("action", "resources"), rows)


def _condition_keys() -> str:
    """The keys that conditions can ask about; tags have their name behind the slash."""
    trees = [
        ast.parse((SOURCES / name).read_text(encoding="utf-8"))
        for name in ("iam/authorization.py", "iam/condition_keys.py", "sts.py")
    ]
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    keys = {text for text in texts if re.fullmatch("(aws|ec2|ram|sts):[a-z]+/?", text)} | {
        "ec2:resourcetag/",
        "ram:resourcetag/",
        "ec2:subnet",
        "ec2:vpc",
    }  # put together there
    return ", ".join(f"`{key}`" for key in sorted(keys)) + "\n"


# Errors. A code is written where the error is raised, or is handed on from one of the places below.


def collect_errors() -> dict[str, set[int]]:
    """Every code that the server can send, with its HTTP statuses. ValueError for one whose origin is not known."""
    found: dict[str, set[int]] = {}

    def add(codes: Iterable[str], status: int = 400) -> None:
        for code in codes:
            found.setdefault(code, set()).add(status)

    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCES.rglob("*.py"))}
    calls = [(path, call) for path, tree in trees.items() for call in ast.walk(tree) if isinstance(call, ast.Call)]
    elsewhere = _codes_from_elsewhere([call for _, call in calls])
    for path, call in calls:
        if getattr(call.func, "id", None) != ApiError.__name__:
            continue
        code = call.args[0]
        status = ast.unparse(call.args[2]) if len(call.args) > 2 else "400"
        if isinstance(code, ast.Constant):
            add([code.value], int(status))
        elif (path.name, ast.unparse(code)) in elsewhere:
            for each, its_status in elsewhere[path.name, ast.unparse(code)]:
                add([each], its_status if status == "code[1]" else int(status))
        else:
            raise ValueError(
                f"{path.name}:{call.lineno}: say in docs/api_tables.py where the code {ast.unparse(code)} comes from"
            )
    return found


def _codes_from_elsewhere(calls: list[ast.Call]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """File and expression of a code that is no literal -> the codes that it can be, with their statuses."""

    def plain(codes: Iterable[str]) -> list[tuple[str, int]]:
        return [(code, 400) for code in codes]

    def given(function: str, place: int, keyword: str = "") -> list[tuple[str, int]]:
        """The literals at a place of all calls of a function."""
        its = [call for call in calls if getattr(call.func, "id", None) == function]
        values = [call.args[place] for call in its if len(call.args) > place]
        values += [each.value for call in its for each in call.keywords if each.arg == keyword]
        return plain(value.value for value in values if isinstance(value, ast.Constant))

    families = (
        authentication_errors.errors_of(service) for service in ("ec2", "sts", "ram", "service-quotas", "cloudtrail")
    )
    frameworks = [vars(each) for each in (faults.QUERY_FAULTS, faults.REST_JSON_FAULTS, faults.JSON_FAULTS)]
    return {
        ("authentication_errors.py", "code[0]"): [
            value for family in families for name, value in _fields(family) if name.endswith("_code")
        ],
        ("authorization.py", "_REFUSALS.get(call.service, 'AccessDenied')"): plain(
            [*authorization._REFUSALS.values(), "AccessDenied"]
        ),
        ("exchange.py", "code[1] if code else str(response.status)"): [],  # another server's, in records alone
        ("data_plane.py", "_LIMITS[error.resource]"): plain(data_plane._LIMITS.values()),
        ("listing.py", "listing.not_found"): given("Listing", 3, "not_found"),
        ("reading.py", "code"): given("_span", 1),
        ("gateway.py", "code"): plain(["RequestLimitExceeded", "ServiceUnavailable"]),
        ("elbv2.py", "code"): plain(code for _, _, code in elbv2._KINDS.values()),
        ("identifiers.py", "_MALFORMED[kind]"): plain(identifiers._MALFORMED.values()),
        ("mirror_objects.py", "NOT_FOUND[kind]"): plain(mirror_objects.NOT_FOUND.values()),
        ("mirror_objects.py", "code"): given("check_quota", 0),
        ("pages.py", "self.code"): given("Paging", 4),
        **{
            ("faults.py", f"self.{name}"): plain(each[name] for each in frameworks)
            for name in ("_constraint_code", "_unknown_code", "_form_code")
        },
        ("idempotency.py", "mismatch"): plain(["IdempotentParameterMismatch", "IdempotentParameterMismatchException"]),
        ("invitations.py", "code"): plain(code for code, _ in invitations._ANSWERED.values()),
        ("lists.py", "code"): given("_check_resource_type", 1),
        ("shares.py", "_NOT_PERMITTED"): plain(["OperationNotPermittedException"]),
        ("tags.py", "code"): plain(code for code, _ in tags._NOT_FOUND.values()),
    }


def _fields(instance: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(instance, field.name)) for field in dataclasses.fields(instance))


def _errors(family: str) -> str:
    statuses = collect_errors()
    return _table(
        ("code", "HTTP", "when"),
        (
            (f"`{code}`", ", ".join(str(status) for status in sorted(statuses[code])), when)
            for code, when in sorted(ERRORS[family].items())
        ),
    )


# Numbers.


def _quotas() -> str:
    words = {
        "sessions_per_interface": "sessions of one source interface",
        "rules_per_filter": "rules of a filter, both directions together",
        "sessions": "sessions of an account",
        "targets": "targets of an account",
        "filters": "filters of an account",
        "sources_per_interface_target": "sources of a target that is a network interface (at least 100 where its "
        "instance's type takes that many; load balancers and endpoints have no such "
        "quota)",
        "sessions_per_target": "sessions of one target that is no endpoint, whoever has made them (AWS names an error, "
        "but no number)",
        "tags_per_resource": "tags of one object",
    }
    return _table(
        ("`--quota`", "default", "what"),
        ((f"`{name.replace('_', '-')}`", f"{value:,}", words[name]) for name, value in _fields(Quotas())),
    )


def _limits() -> str:
    words = {
        "MAX_BODY": "bytes of a body",
        "MAX_HEAD": "bytes of path, query string and headers",
        "MAX_PARAMETERS": "parameters of a request",
        "MAX_NESTING": "levels of nesting",
    }
    return _table(("limit", "of"), ((f"{getattr(limits, name):,}", what) for name, what in words.items()))


def _connections() -> str:
    rows = (
        (connections.CONNECTIONS, "connections open at once; for one more, the one that has waited longest goes"),
        (accepting.HANDSHAKES, "TLS handshakes under way at once; for one more, the one that has taken longest goes"),
        (bodies.BODIES, "bodies waited for at once; for one more, the one that has taken longest is refused with 503"),
        (app.REQUESTS, "requests under way at once; one more is refused with 503, which AWS's clients try again"),
        (int(accepting.HANDSHAKE_SECONDS), "seconds for a TLS handshake"),
        (connections.FIRST_HEAD_SECONDS, "seconds that a new connection may wait for a whole head"),
        (connections.HEAD_SECONDS, "seconds that it may wait for the next one, or leave an answer unread"),
        (int(bodies.BODY_SECONDS), "seconds for a body"),
    )
    return _table(
        ("limit", "of one address", "of"),
        (
            (str(limit.most), str(limit.each), what) if isinstance(limit, Bounds) else (str(limit), "", what)
            for limit, what in rows
        ),
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "connections": _connections,
    **{
        f"operations of {service}": lambda service=service: _coverage(service)
        for service in (
            "cloudtrail",
            "cloudwatch",
            "ec2",
            "elbv2",
            "iam",
            "ram",
            "resourcegroupstaggingapi",
            "service-quotas",
            "sts",
        )
    },
    **{f"errors of {family}": lambda family=family: _errors(family) for family in ERRORS},
    "filters": _filters,
    "resources": _resources,
    "condition keys": _condition_keys,
    "quotas": _quotas,
    "limits": _limits,
}
"""By the name that api.md has for them."""
