"""What a look-alike's answers say otherwise than AWS's, put right on their way to the client.

Measured on moto 5.2.5: the endpoint service of a Gateway Load Balancer is of the type ``Gateway``, and an instance that
was asked for with interfaces has no security groups, which are those of its first interface.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

__all__ = ["mended"]

_SERVICE_OPERATION = "VpcEndpointServiceConfiguration"
_SERVICE_TYPE = re.compile(rb"(<serviceType>\s*Gateway)(?=\s*</serviceType>)")


def mended(operation: str, body: bytes) -> bytes:
    """An answer of EC2 that is passed on."""
    if _SERVICE_OPERATION in operation:  # nobody's own service has the type that those of S3 and DynamoDB have
        return _SERVICE_TYPE.sub(rb"\1LoadBalancer", body)
    return _with_groups(body) if operation in ("DescribeInstances", "RunInstances") else body


def _with_groups(body: bytes) -> bytes:
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return body
    changed = False
    for instance in root.iterfind(".//{*}instancesSet/{*}item"):
        own, first = instance.find("{*}groupSet"), _first_interface(instance)
        found = None if first is None else first.find("{*}groupSet")
        if own is not None and not len(own) and found is not None and len(found):
            own.extend(found)
            changed = True
    if not changed:
        return body
    namespace = root.tag[1:].partition("}")[0]
    text: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True, default_namespace=namespace)
    return text


def _first_interface(instance: ElementTree.Element) -> ElementTree.Element | None:
    for interface in instance.iterfind("{*}networkInterfaceSet/{*}item"):
        if interface.findtext("{*}attachment/{*}deviceIndex") == "0":
            return interface
    return None
