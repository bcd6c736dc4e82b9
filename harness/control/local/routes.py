"""The paths beside the API. They are signed like everything else, with the service name ``ec2``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from halfsilver.harness.control.http.exchange import Route
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.operations.call import Call

__all__ = ["Reporter", "STATUS_PATH", "routes"]

STATUS_PATH = "/halfsilver/status"
STATUS_ACTION = "ec2:DescribeTrafficMirrorSessions"
"""What policies must allow: the status is that of sessions, and of the interfaces that they are on."""


class Reporter(Protocol):
    """What can say how it is (``control.Control``)."""

    def status(self, account: str) -> Mapping[str, Any]:
        """Plain values, ready for JSON: what users of this account may see."""

    def permit(self, call: Call, action: str) -> None:
        """ApiError unless the caller's policies allow the action."""


def routes(reporter: Reporter) -> dict[str, Route]:
    """All of them, by path."""

    def status(request: Request, call: Call) -> Response:
        reporter.permit(call, STATUS_ACTION)
        body = json.dumps(reporter.status(call.caller.account), indent=2).encode("ascii") + b"\n"
        return Response(200, body, (("content-type", "application/json"), ("cache-control", "no-store")))

    return {STATUS_PATH: Route("GetStatus", ("GET",), status)}
