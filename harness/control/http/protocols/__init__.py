"""AWS's wire protocols: bytes to parameters and results to bytes, read from botocore's service models.

Nothing here knows a single operation: names, types and limits come from the model of the service. Three protocols
are spoken, those that botocore's clients use for these services: ``ec2`` (EC2), ``query`` (STS, elbv2) and
``rest-json`` (RAM).

The way of a request: ``services`` finds whose it is (signature scope, path, version), ``form`` or ``rest_json``
reads it, ``xml`` or ``rest_json`` writes the answer; ``faults`` has the words for what is wrong with a request.
"""

from __future__ import annotations

from halfsilver.harness.control.http.protocols.service import Operation, Response, Service
from halfsilver.harness.control.http.protocols.services import Services, load

__all__ = ["Operation", "Response", "Service", "Services", "load"]
