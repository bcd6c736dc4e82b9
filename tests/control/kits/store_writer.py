"""A process of its own that writes to a store, for tests of several writers and of sudden ends.

store_writer.py race URL ENI...   make session 1 on each interface; prints "ENI won" or "ENI CODE: message"
store_writer.py pairs URL         insert two records per transaction, for ever; prints their number after a commit
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime

from halfsilver.harness.control.catalogue import OPERATIONS
from halfsilver.harness.control.operations.call import Call, Caller, Settings
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.operation import Context
from halfsilver.harness.control.state.record import Record
from halfsilver.harness.control.state.store import Store

ACCOUNT = "111122223333"


def race(store, interfaces):
    with store.begin() as transaction:
        target, mirror_filter = transaction.find("target")[0].id, transaction.find("filter")[0].id
    print("ready", flush=True)
    sys.stdin.readline()
    operation = OPERATIONS["ec2", "CreateTrafficMirrorSession"]
    for eni_id in interfaces:
        call = Call(
            "ec2",
            "CreateTrafficMirrorSession",
            {
                "NetworkInterfaceId": eni_id,
                "TrafficMirrorTargetId": target,
                "TrafficMirrorFilterId": mirror_filter,
                "SessionNumber": 1,
            },
            Caller(ACCOUNT, "arn", "id", "ann"),
            "request",
            "127.0.0.1",
            datetime.now(UTC),
        )
        try:
            with store.begin(write=True) as transaction:
                operation.handler(Context(transaction, call, Settings(), random.SystemRandom()), call.parameters)
            print(eni_id, "won", flush=True)
        except ApiError as error:
            print(eni_id, error, flush=True)


def pairs(store):
    number = 0
    while True:
        with store.begin(write=True) as transaction:
            for half in "ab":
                transaction.insert(Record("filter", f"tmf-{number}{half}", ACCOUNT, {"TrafficMirrorFilterId": half}))
            transaction.advance()
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    mode, url, *rest = sys.argv[1:]
    if mode == "race":
        race(Store(url), rest)
    else:
        pairs(Store(url))
