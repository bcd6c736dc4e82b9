"""The thing behind a traffic mirror target: an interface, a Network Load Balancer or an endpoint of the inventory.

Source: the Traffic Mirroring guide, "Understand traffic mirror target concepts": mirroring stops for the sessions of a
target whose resource is deleted, and a load balancer without a UDP listener on port 4789 gets no mirrored traffic.
"""

from __future__ import annotations

from halfsilver.harness.control.state.record import Kind, Record
from halfsilver.harness.control.state.store import Transaction
from halfsilver.harness.law import VXLAN_PORT

__all__ = ["has_vxlan_listener", "why_unusable"]

"""Where VXLAN is listened for (RFC 7348, section 5)."""


def has_vxlan_listener(transaction: Transaction, balancer: Record) -> bool:
    """Whether a load balancer takes UDP on port 4789."""
    listeners = [each.document for each in transaction.find(Kind.LISTENER, parent=balancer.id)]
    return any(each.get("Port") == VXLAN_PORT and each.get("Protocol") in ("UDP", "TCP_UDP") for each in listeners)


def why_unusable(transaction: Transaction, target: Record) -> str | None:
    """Why nothing can be mirrored to the target's resource, None while it can."""
    document = target.document
    if "NetworkLoadBalancerArn" in document:
        arn = document["NetworkLoadBalancerArn"]
        balancer = transaction.get(Kind.LOAD_BALANCER, arn)
        if balancer is None:
            return f"the load balancer {arn} of {target.id} was deleted"
        if not has_vxlan_listener(transaction, balancer):
            return f"the load balancer {arn} of {target.id} has no UDP listener on port {VXLAN_PORT}"
        return None
    if "GatewayLoadBalancerEndpointId" in document:
        kind, words, identifier = Kind.ENDPOINT, "the endpoint", document["GatewayLoadBalancerEndpointId"]
    else:
        kind, words, identifier = Kind.INTERFACE, "the network interface", document["NetworkInterfaceId"]
    if transaction.get(kind, identifier) is None:
        return f"{words} {identifier} of {target.id} was deleted"
    return None
