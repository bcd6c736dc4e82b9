"""Suricata, an intrusion detection system that users feed with mirrored traffic, sees in the copies what was there.

The same traffic as it is and as the gateware's copies: the same alerts and the same transactions. It reads files, so it
needs no root. Its configuration is the one it comes with.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from halfsilver.harness.capture.reader import open_capture
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Flags, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.lots import CAPTURES
from tests.judges.mirrored_kit import POLICY, mirror, session
from tests.judges.suricata_kit import EVENTS, WHOLE, datagrams, inspect_capture, needs_suricata, traffic

pytestmark = needs_suricata

CAPTURED = ("tcpreplay__test__test.pcap", "dnscap__vlan11.pcap", "ndpi__dns_fragmented.pcap")

WHOLE_IPV6 = Policy((replace(POLICY.interfaces[0], sessions=(session(0, 1, 0x42, 6, None, None, None),)),))


@pytest.fixture
def inspect(tmp_path):
    """Frames -> what Suricata has to say of them."""
    return lambda frames: inspect_capture(frames, tmp_path)


@pytest.mark.parametrize("policy", [WHOLE, WHOLE_IPV6], ids=["IPv4", "IPv6"])
def test_the_same_alerts(inspect, judged, policy):
    frames = traffic()
    plain, _ = inspect([frame.data for frame in frames])
    copies = [copy for *_, copy in mirror(frames, policy)]
    assert len(copies) == len(frames)
    mirrored, decoder = inspect(copies)
    assert mirrored == plain and decoder["vxlan"] == len(copies) and decoder["invalid"] == 0
    assert {what for kind, what, *_ in plain if kind == "alert"} == {1, 2, 3, 4, 5}
    assert {kind for kind, *_ in plain} == EVENTS
    alerts = sum(count for (kind, *_), count in plain.items() if kind == "alert")
    judged(
        "Suricata",
        f"{alerts} alerts and {plain.total() - alerts} transactions in {len(copies)} copies, as in the traffic",
    )


@pytest.mark.skipif(CAPTURES is None or not CAPTURES.is_dir(), reason=f"no captures in {CAPTURES}")
def test_the_same_transactions_of_captured_traffic(inspect, judged):
    """Of the frames that are mirrored; what no rule sees, and what is not IP, is in neither."""
    transactions = count = 0
    for name in CAPTURED:
        with open_capture(CAPTURES / name) as reader:
            frames = [Frame(captured.data, Direction.INGRESS) for captured in reader]
        copies = mirror(frames, WHOLE, Flags(tap=True))
        plain, _ = inspect([frame.data for frame, *_ in copies])
        assert inspect([copy for *_, copy in copies])[0] == plain, name
        transactions += plain.total()
        count += len(copies)
    assert transactions > 100
    judged("Suricata", f"{transactions} transactions in {count:,} copies of captured frames, as in the frames")


def test_what_truncation_hides(inspect, judged):
    """A copy that was cut is invisible: no alert and no complaint, though what the rule looks for is in it."""
    length = 100
    cut = Policy((replace(WHOLE.interfaces[0], sessions=(session(0, 1, 0x42, 4, None, length, None),)),))
    frames = datagrams(range(0, 120, 6))
    plain, _ = inspect([frame.data for frame in frames])
    copies = mirror(frames, cut)
    found, decoder = inspect([copy for *_, copy in copies])
    seen = {source_port for _, _, _, source_port, *_ in found}
    assert seen == {6000 + number for number, frame in enumerate(frames) if len(frame.data) <= length}
    assert plain.total() == len(frames) > found.total() > 0
    assert decoder["vxlan"] == len(copies) and decoder["invalid"] == 0
    judged(
        "Suricata", f"sees {found.total()} of {len(frames)} datagrams that a packet length of {length} leaves or cuts"
    )


@pytest.mark.parametrize("at", [42, 49, 92], ids=["VXLAN flags", "VXLAN reserved", "inner payload"])
def test_the_judge_sees_faults(inspect, at):
    """One bit of the copy of a datagram wrong: no alert."""
    ((*_, copy),) = mirror(datagrams([30]), WHOLE)
    assert inspect([copy])[0].total() == 1
    broken = bytearray(copy)
    broken[at] ^= 0x08
    assert not inspect([bytes(broken)])[0]
