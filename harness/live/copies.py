"""Copies that this host sends by itself, and how they are known when they go over the interface that is mirrored."""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter

from halfsilver.harness.capture.link import ETHERTYPE_IPV4, ETHERTYPE_IPV6, network_header
from halfsilver.harness.errors import EnvironmentMissing
from halfsilver.harness.law import VXLAN_PORT
from halfsilver.harness.policy.policy import Policy

__all__ = ["CopySender", "OwnCopies"]

_UDP = 17
_NO_ROOM = (errno.EAGAIN, errno.ENOBUFS)


class OwnCopies:
    """Tells copies of the policy's sessions from other traffic: mirrored, they would be copied again without end."""

    def __init__(self, policy: Policy) -> None:
        sessions = [session for interface in policy.interfaces for session in interface.sessions]
        outers = [outer for session in sessions for outer in session.outers]
        self._ways = {(outer.source.packed, outer.destination.packed) for outer in outers}

    def __contains__(self, frame: bytes) -> bool:
        ethertype, at = network_header(frame)
        if ethertype == ETHERTYPE_IPV4:
            protocol, addresses, size, behind = frame[at + 9 : at + 10], at + 12, 4, at + 20
        elif ethertype == ETHERTYPE_IPV6:
            protocol, addresses, size, behind = frame[at + 6 : at + 7], at + 8, 16, at + 40
        else:
            return False
        way = frame[addresses : addresses + size], frame[addresses + size : addresses + 2 * size]
        port = int.from_bytes(frame[behind + 2 : behind + 4], "big")
        return protocol == bytes((_UDP,)) and port == VXLAN_PORT and way in self._ways


class CopySender:
    """Sends copies as packets of this host, which finds their way: raw IP sockets (raw(7)), with our own headers.

    On the wire they are as the engine made them but for the Ethernet header, which is the host's, and the
    identification of IPv4, which the kernel chooses where it is 0. ``sent`` are packets; ``unsent`` those that were
    not, by the system's reason: one that finds no room is left out at once, so that the host's own packets come first.
    EnvironmentMissing if this user may not.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.unsent: Counter[str] = Counter()
        try:
            self._sockets = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
            }
        except PermissionError:
            raise EnvironmentMissing(
                "-o udp: this user may not send packets with headers of their own: be root, or give Python CAP_NET_RAW"
            ) from None

    def send(self, copy: bytes) -> None:
        packet = copy[14:]
        version = packet[0] >> 4
        family, destination = (socket.AF_INET, packet[16:20]) if version == 4 else (socket.AF_INET6, packet[24:40])
        try:
            self._sockets[version].sendto(packet, socket.MSG_DONTWAIT, (socket.inet_ntop(family, destination), 0))
            self.sent += 1
        except OSError as error:
            self.unsent["no room" if error.errno in _NO_ROOM else os.strerror(error.errno or 0)] += 1

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()
