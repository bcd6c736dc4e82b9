"""CloudWatch's CBOR from clients that mean no good: refused for the client's fault, and nothing is done."""

from __future__ import annotations

import cbor2
import pytest

from halfsilver.harness.control.http.request import Request
from tests.control.kits.wire_kit import PEER, FakeControl, authorization, exchange

PATH = "/service/GraniteServiceVersion20100801/operation/"
ALARM = {
    "AlarmName": "a",
    "Namespace": "AWS/EC2",
    "MetricName": "NetworkMirrorIn",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}


def ask(body: bytes, operation: str = "PutMetricAlarm") -> tuple[int, str, FakeControl]:
    control = FakeControl()
    headers = (("authorization", authorization("monitoring")), ("smithy-protocol", "rpc-v2-cbor"))
    answer = exchange(control).answer(Request("POST", PATH + operation, "", headers, body), PEER)
    assert dict(answer.headers)["content-type"] == "application/cbor"
    return answer.status, cbor2.loads(answer.body).get("__type", ""), control


def test_a_good_one_is_taken() -> None:
    status, _, control = ask(cbor2.dumps({**ALARM, "Threshold": 1}))
    assert (status, len(control.calls)) == (200, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x81" * 100_000,
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        bytes([0xA0 + len(ALARM) + 2]) + cbor2.dumps({**ALARM, "Threshold": 1})[1:] + cbor2.dumps({"Period": 60})[1:],
        b"\xa1\x01\x02",
        b"\xd8\x1c\x81\xd8\x1d\x00",
        cbor2.dumps({**ALARM, "Threshold": 1 << 4000}),
        cbor2.dumps({**ALARM, "Threshold": float("nan")}),
        cbor2.dumps({**ALARM, "Threshold": float("inf")}),
        cbor2.dumps({**ALARM, "Threshold": True}),
        cbor2.dumps({**ALARM, "Period": 1 << 63, "Threshold": 1}),
        cbor2.dumps({**ALARM, "AlarmName": b"a", "Threshold": 1}),
        cbor2.dumps([ALARM]),
        cbor2.dumps({**ALARM, "Nonsense": 1}),
        cbor2.dumps(cbor2.CBORTag(35, "(a+)+b")),
    ],
    ids=lambda body: body[:12].hex(),
)
def test_a_bad_one_is_refused(body: bytes) -> None:
    status, kind, control = ask(body)
    assert status == 400 and kind and not control.calls


def test_no_such_operation() -> None:
    assert ask(b"\xa0", "DeleteEverything")[:2] == (404, "UnknownOperationException")
