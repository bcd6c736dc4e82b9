"""The thing behind a traffic mirror target: an interface, a Network Load Balancer or an endpoint of the inventory.

Source: the Traffic Mirroring guide, "Understand traffic mirror target concepts": mirroring stops for the sessions of a
target whose resource is deleted. A load balancer without a UDP listener on port 4789 gets no mirrored traffic either,
but its sessions only wait for one (``docs/mirroring.md`` 1.10).
"""

from __future__ import annotations

from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction

__all__ = ["why_unusable"]


def why_unusable(transaction: Transaction, target: Record) -> str | None:
    """Why nothing can be mirrored to the target's resource, None while it can."""
    document = target.document
    if "NetworkLoadBalancerArn" in document:
        kind, words, identifier = Kind.LOAD_BALANCER, "the load balancer", document["NetworkLoadBalancerArn"]
    elif "GatewayLoadBalancerEndpointId" in document:
        kind, words, identifier = Kind.ENDPOINT, "the endpoint", document["GatewayLoadBalancerEndpointId"]
    else:
        kind, words, identifier = Kind.INTERFACE, "the network interface", document["NetworkInterfaceId"]
    if transaction.get(kind, identifier) is None:
        return f"{words} {identifier} of {target.id} was deleted"
    return None
