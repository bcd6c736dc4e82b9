"""The process of ``moto.moto_server``: serves moto until its input ends, which it does when its parent does."""

from __future__ import annotations

import json
import logging
import sys

from moto.server import ThreadedMotoServer

__all__ = ["main"]


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would write a line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(json.dumps({"port": server.get_host_and_port()[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
