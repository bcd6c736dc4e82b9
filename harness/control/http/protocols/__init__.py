"""AWS's wire protocols: bytes to parameters and results to bytes, read from botocore's service models.

Nothing here knows a single operation: names, types and limits come from the model of the service. Those protocols
are spoken that AWS's clients use for these services: ``ec2`` (EC2), ``query`` (STS, elbv2), ``rest-json`` (RAM), and
for CloudWatch all that its model names: ``query``, ``json`` (AWS JSON) and ``smithy-rpc-v2-cbor``.

The way of a request: ``services`` finds whose it is (signature scope, path, header, version), and ``several`` in which
of its protocols; ``form`` or ``json_input`` reads it, ``xml`` or ``json_output`` writes the answer; ``faults`` has the
words for what is wrong with a request.
"""

from __future__ import annotations

from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.protocols.services import Services, load, signed_for, signed_with

__all__ = ["Operation", "Response", "Service", "Services", "load", "signed_for", "signed_with"]
