"""An Etherbone card on a UDP port, in plain Python from the protocol's description, and networks of all kinds."""

import contextlib
import select
import socket
import struct
import threading

HEAD = struct.Struct(">HBB4x")


class EtherboneCard:
    """Datagrams in, answers out, in front of a card in memory. ``datagrams`` is all that arrived."""

    def __init__(self, card):
        self.card, self.datagrams = card, []

    def told(self, datagram):
        """The answer, or None."""
        self.datagrams.append(datagram)
        magic, version, sizes = HEAD.unpack_from(datagram)
        assert (magic, version >> 4, sizes) == (0x4E6F, 1, 0x44)
        if version & 1:
            return HEAD.pack(magic, 0x12, sizes)
        answers, at = b"", HEAD.size
        while at < len(datagram):
            flags, enable, writes, reads = datagram[at : at + 4]
            assert enable == 0x0F and flags in (0, 0x40)
            at += 4
            if writes:
                base, *words = struct.unpack_from(f">{writes + 1}I", datagram, at)
                at += 4 + 4 * writes
                step = 0 if flags else 4
                self.card.write([(base + step * number, word) for number, word in enumerate(words)])
            if reads:
                tag, *places = struct.unpack_from(f">{reads + 1}I", datagram, at)
                at += 4 + 4 * reads
                answers += struct.pack(f">BBBB{reads + 1}I", 0, 0x0F, reads, 0, tag, *self.card.read(places))
        assert at == len(datagram) <= 1472
        return HEAD.pack(magic, 0x10, sizes) + answers if answers else None


class Network:
    """What becomes of a datagram on its way: given all copies of it that arrive, in order. By default one."""

    def to_card(self, datagram):
        return [datagram]

    def to_host(self, datagram):
        return [datagram]


class Lossy(Network):
    """Loses, of both ways, what a random source says."""

    def __init__(self, source, share):
        self.source, self.share, self.lost = source, share, 0

    def _or_lose(self, datagram):
        if datagram[2] & 3 or self.source.random() >= self.share:  # probes and their answers pass
            return [datagram]
        self.lost += 1
        return []

    to_card = to_host = _or_lose


@contextlib.contextmanager
def on_udp(card, network=None):
    """A UDP port at which the card answers."""
    network = network or Network()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind(("127.0.0.1", 0))
        over = threading.Event()

        def serve():
            while not over.is_set():
                if not select.select([ours], [], [], 0.05)[0]:
                    continue
                datagram, sender = ours.recvfrom(4096)
                for each in network.to_card(datagram):
                    answer = card.told(each)
                    for copy in network.to_host(answer) if answer else ():
                        ours.sendto(copy, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield ours.getsockname()[1]
        finally:
            over.set()
            thread.join()
