"""A Linux VXLAN device takes the copies apart: a strict receiver that drops whatever has a fault.

It lives in a network namespace that the test makes and removes; frames go in over a virtual cable.
"""

from __future__ import annotations

import pytest

from tests.judges.mirrored_kit import POLICY, inner_frames, mirror
from tests.judges.namespace_kit import namespace, needs_root, with_vlan
from tests.judges.vxlan_kit import NEAR, lay_cable

PACKET_OUTGOING = 4
"""Linux: if_packet.h."""

PATIENCE = 2.0
"""Seconds in which a frame must come out; a frame that must not come out gets a fifth of them."""

VNIS = sorted({session.vni for interface in POLICY.interfaces for session in interface.sessions})
FAMILY = {
    session.vni: session.outer.destination.version for interface in POLICY.interfaces for session in interface.sessions
}

pytestmark = needs_root


class Receiver:
    """The cable's near end, and the VXLAN devices by VNI."""

    def __init__(self, cable, devices):
        self.cable, self.devices = cable, devices

    def deliver(self, copy, vni, seconds=PATIENCE):
        """Send a copy; the frame that comes out of the device of ``vni``, None if none does."""
        self.cable.send(copy)
        device = self.devices[vni]
        device.settimeout(seconds)
        try:
            while True:
                data, control, _, address = device.recvmsg(0x10000, 256)
                if address[2] != PACKET_OUTGOING:
                    return with_vlan(data, control)
        except TimeoutError:
            return None


@pytest.fixture(scope="module")
def receiver():
    with namespace() as inside:
        lay_cable(inside, FAMILY)
        opened = inside.open_devices(NEAR, *(f"vx{vni}" for vni in VNIS))
        yield Receiver(opened[0], dict(zip(VNIS, opened[1:], strict=True)))
        for each in opened:
            each.close()


@pytest.fixture(scope="module")
def copies():
    return mirror(inner_frames())


def test_every_copy_comes_out_whole_at_its_vni(receiver, copies, judged):
    """Byte for byte what went into the NIC, as far as it was copied: IPv4 and IPv6 outer, cut, tagged, jumbo."""
    seen = set()
    for frame, session, record, copy in copies:
        assert receiver.deliver(copy, session.vni) == frame.data[: record.copied], (session.vni, len(copy))
        seen.add((session.outer.destination.version, record.copied < len(frame.data), len(copy) > 9000))
    assert {(4, True, False), (4, False, True), (6, True, False), (6, False, True)} <= seen
    judged(
        "Linux vxlan", f"{len(copies)} copies in {len(VNIS)} networks over IPv4 and IPv6, inner frames byte for byte"
    )


@pytest.mark.parametrize(
    ("version", "at"),
    [(4, 24), (4, 42), (6, 60), (6, 62), (6, 100)],
    ids=["IP checksum", "VXLAN flags", "UDP checksum", "VXLAN flags IPv6", "payload"],
)
def test_the_receiver_is_strict(receiver, copies, version, at):
    """One bit wrong, and nothing comes out: the test above means something."""
    _, session, _, copy = next(
        each for each in copies if each[1].outer.destination.version == version and len(each[3]) > 150
    )
    broken = bytearray(copy)
    broken[at] ^= 0x08
    assert receiver.deliver(bytes(broken), session.vni, PATIENCE / 5) is None
    assert receiver.deliver(copy, session.vni) is not None
