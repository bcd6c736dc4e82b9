"""A server with nothing behind it, for tests: ``python wire_server.py '{"host": ..., ...}'``.

Prints its URL, then "reload" at each SIGHUP and "stopped" at the end. DescribeTags with ``MaxResults`` prints "working"
and takes a second; its answer has the client's address in ``NextToken``,
or what the client sent there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from halfsilver.harness.control.http import accepting, connections, server
from halfsilver.harness.control.http.app import REQUESTS, App
from halfsilver.harness.control.http.bodies import BODIES
from halfsilver.harness.control.http.crowding import Bounds
from halfsilver.harness.control.http.exchange import Exchange
from halfsilver.harness.control.http.protocols import load
from halfsilver.harness.control.operations.call import Call, Caller

CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/ann", "AIDAEXAMPLE", "ann")


class Sleeper:
    def execute(self, call: Call) -> dict[str, Any]:
        if "MaxResults" in call.parameters:
            print("working", flush=True)
            time.sleep(1)
        return {"NextToken": call.parameters.get("NextToken", f"{call.source_ip} {call.secure}")}


def main(options: dict[str, Any]) -> None:
    connections.HEAD_SECONDS = options.pop("head_seconds", connections.HEAD_SECONDS)
    connections.FIRST_HEAD_SECONDS = options.pop("first_head_seconds", connections.HEAD_SECONDS)
    accepting.HANDSHAKE_SECONDS = options.pop("handshake_seconds", accepting.HANDSHAKE_SECONDS)
    limits = {
        "body_seconds": options.pop("body_seconds", 1),
        "bodies": Bounds(*options.pop("bodies", (BODIES.most, BODIES.each))),
        "requests": Bounds(*options.pop("requests", (REQUESTS.most, REQUESTS.each))),
    }
    files = {name: Path(options[name]) for name in ("certificate", "key") if name in options}
    app = App(Exchange(load([("ec2", "DescribeTags")]), lambda *asked: CALLER, Sleeper()), **limits)
    server.serve(
        app,
        server.Listen(**{**options, **files}),
        listening=lambda url: print(url, flush=True),
        reload=lambda: print("reload", flush=True),
    )
    print("stopped", flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
