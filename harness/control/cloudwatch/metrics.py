"""Which metrics there are, and the samples of one: AWS's eight of Traffic Mirroring, in the namespace of EC2, and those
of Gateway Load Balancer endpoints (``endpoints``).

Source: Traffic Mirroring guide, "Traffic Mirroring metrics and dimensions". An instance has one sample a minute, the
sum over its mirrored interfaces, zeros included; it has none while the engine is down or none of its interfaces has a
session. A dimension other than InstanceId has the samples of all its instances, and so has the metric without any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from halfsilver.harness.control.cloudwatch import endpoints
from halfsilver.harness.control.cloudwatch.dimensions import Dimensions
from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.records import METRICS

__all__ = ["Metric", "metrics", "samples", "unit_of"]

_NAMESPACE = "AWS/EC2"
_GROUP_TAG = "aws:autoscaling:groupName"
"""By which EC2 marks the instances of an Auto Scaling group."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as a client names it, whether or not there is one."""

    namespace: str
    name: str
    dimensions: Dimensions


def unit_of(name: str) -> str:
    """Bytes, or Count for packets."""
    return "Count" if "Packets" in name else "Bytes"


def metrics(transaction: Transaction, account: str, since: int) -> Iterator[Metric]:
    """All of an account with samples since then."""
    for names, namespace, sets in (
        (METRICS, _NAMESPACE, _dimension_sets(transaction, account, since)),
        (endpoints.METRICS, endpoints.NAMESPACE, endpoints.dimension_sets(transaction, account, since)),
    ):
        yield from (Metric(namespace, name, each) for each in sets for name in names)


def _dimension_sets(transaction: Transaction, account: str, since: int) -> list[Dimensions]:
    """All by which the instances with samples since then can be asked for; the empty one is all of them."""
    instances = transaction.minutes.instances(account, since)
    if not instances:
        return []
    found: dict[Dimensions, None] = {(("InstanceId", each),): None for each in instances}
    for record in transaction.find(Kind.INSTANCE, identifiers=instances):
        found.update((((name, value),), None) for name, value in _attributes(record))
    return [*found, ()]


def samples(transaction: Transaction, account: str, metric: Metric, start: int, end: int) -> list[tuple[int, int]]:
    """(minute, value) in order of time, one per instance or endpoint; nothing for a metric that there is not."""
    if metric.namespace == endpoints.NAMESPACE:
        return endpoints.samples(transaction, account, metric.name, metric.dimensions, start, end)
    if metric.namespace != _NAMESPACE or metric.name not in METRICS or len(metric.dimensions) > 1:
        return []
    instances: list[str] | None = None
    if metric.dimensions:
        ((name, value),) = metric.dimensions
        if name == "InstanceId":
            instances = [value]
        else:
            records = transaction.find(Kind.INSTANCE, account=account)
            instances = [each.id for each in records if (name, value) in _attributes(each)]
    return transaction.minutes.sums(metric.name, start, end, account, instances)


def _attributes(instance: Record) -> Iterator[tuple[str, str]]:
    """The dimensions that an instance has beside its id."""
    document: Mapping[str, Any] = instance.document
    for name in ("ImageId", "InstanceType"):
        if name in document:
            yield name, document[name]
    if _GROUP_TAG in instance.tags:
        yield "AutoScalingGroupName", instance.tags[_GROUP_TAG]
