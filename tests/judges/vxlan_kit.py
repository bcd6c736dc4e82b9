"""A cable into a network namespace, and Linux's VXLAN devices at its far end, which take copies apart."""

from __future__ import annotations

from tests.judges.mirrored_kit import ENDS, TARGET

NEAR, _FAR = "near0", "far0"


def lay_cable(inside, families):
    """The cable's near end is the device NEAR, and each VNI of ``families`` (VNI: 4 or 6) has a device vx<VNI>."""
    inside.links(
        f"link add {NEAR} type veth peer name {_FAR} address {TARGET.hex(':')}",
        f"link set {NEAR} mtu 9300 up",
        f"link set {_FAR} mtu 9300 up",
        f"addr add {ENDS[4][1]}/24 dev {_FAR}",
        f"addr add {ENDS[6][1]}/64 dev {_FAR} nodad",
    )
    for vni, family in families.items():  # no udp6zerocsumrx: a zero checksum over IPv6 is dropped
        inside.links(
            f"link add vx{vni} type vxlan id {vni} dstport 4789 local {ENDS[family][1]} nolearning",
            f"link set vx{vni} addrgenmode none mtu 9200 up",
        )
    for name in ("all", "default", _FAR):
        inside.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/{name}/rp_filter")
