"""A board without gateware: a card in memory that judges by the golden model, between two wires, with faults or not."""

import contextlib
import select
import socket
import threading

from halfsilver.harness.bench.wires import Received
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.records import DEFAULT_FLAGS, Frame
from halfsilver.harness.verdict import Direction
from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.parameters import NicShape
from tests.harness.nic.card_kit import CardInMemory

NET, HOST = "net", "host"
SIDES = {NET: Direction.INGRESS, HOST: Direction.EGRESS}
"""The direction of the frames that come in there."""


SMALL = NicShape(enis=1, sessions=1, rules=3)
"""Its counters are soon read."""


class Board:
    """A card, and what it does with frames.

    The policy is handed to it, as the golden model cannot read tables; it holds from the driver's next commit on.
    ``on_record`` is what becomes of a verdict on its way into the ring, ``on_leave`` of a frame that leaves on a side,
    ``on_enter`` of one that comes in: each gives a list.
    """

    def __init__(self, policy, flags=DEFAULT_FLAGS, shape=None, **registers):
        self.card = CardInMemory(shape or SMALL, **registers)
        self.policy, self.flags = policy, flags
        self.golden = GoldenEngine()
        self._generation = 0
        self.on_record = lambda record: [record]
        self.on_enter = self.on_leave = lambda side, data: [data]

    def take(self, side, data):
        """(side, frame) pairs that leave because this frame came in."""
        return [pair for entered in self.on_enter(side, data) for pair in self._judge(side, entered)]

    def _judge(self, side, data):
        while self._generation != self.card.generation:
            self._generation = self.golden.configure(self.policy, self.flags)
        result = self.golden.process([Frame(data, SIDES[side])])
        for record in self.on_record(result.verdicts[0].to_bytes()):
            self.card.keep(record)
        self._count(result.counters)
        leaving = [(HOST if side == NET else NET, data)] + [(NET, output.data) for output in result.outputs]
        return [(side, left) for side, data in leaving for left in self.on_leave(side, data)]

    def _count(self, counters):
        shape, table = self.card.shape, self.card.counters

        def put(group, tally, **place):
            index = counter_index(group, shape.eni_bits, shape.rule_bits).pack(**place)
            table[group, index] = (tally.frames, tally.octets)

        for (port, bad), tally in counters.ports.items():
            put(CounterGroupCode.PORT, tally, port=port, bad=bad)
        for (way, verdict), tally in counters.verdicts.items():
            put(CounterGroupCode.VERDICT, tally, verdict=verdict, direction=way)
        for (way, eni, session), tally in counters.sessions.items():
            put(CounterGroupCode.SESSION, tally, session=session, eni=eni, direction=way, skipped=0)
        for (way, eni, session, rule), tally in counters.rules.items():
            put(CounterGroupCode.RULE, tally, rule=rule, session=session, eni=eni, direction=way)


class MemoryWire:
    """A wire without anything between: what it sends the board has taken when ``send`` returns."""

    def __init__(self, board, side, wires, shortest=0):
        self.name, self.shortest = f"memory:{side}", shortest
        self._board, self._side, self._wires = board, side, wires
        self._wires[side] = self
        self.inbox, self.sent, self.closed = [], [], False

    def send(self, frames):
        self.sent += frames
        for frame in frames:
            for side, data in self._board.take(self._side, frame):
                self._wires[side].inbox.append(data)

    def receive(self, seconds):
        came, self.inbox = self.inbox, []
        return [Received(0, data) for data in came]

    def close(self):
        self.closed = True


def memory_wires(board, shortest=0):
    """The board's two wires, net and host."""
    wires = {}
    return [MemoryWire(board, side, wires, shortest) for side in (NET, HOST)]


@contextlib.contextmanager
def on_sockets(board, folder):
    """Addresses of the board's two wires, as unix sockets; one client at a time."""
    paths = {side: folder / side for side in SIDES}
    with contextlib.ExitStack() as stack:
        listeners = {}
        for side, path in paths.items():
            listeners[side] = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            listeners[side].bind(str(path))
            listeners[side].listen()
        over, ended = socket.socketpair()
        stack.enter_context(over), stack.enter_context(ended)
        thread = threading.Thread(target=_serve, args=(board, listeners, over))
        thread.start()
        try:
            yield [f"unix:{path}" for path in paths.values()]
        finally:
            ended.send(b"!")
            thread.join()


def _serve(board, listeners, over):
    clients = {}
    while over not in (ready := select.select([over, *listeners.values(), *clients.values()], [], [])[0]):
        for side, listener in listeners.items():
            if listener in ready:
                clients[side] = listener.accept()[0]
        for side in [side for side, client in clients.items() if client in ready]:
            data = clients[side].recv(1 << 16)
            if not data:
                clients.pop(side).close()
                continue
            for out, left in board.take(side, data):
                if out in clients:
                    clients[out].send(left)
    for client in clients.values():
        client.close()
