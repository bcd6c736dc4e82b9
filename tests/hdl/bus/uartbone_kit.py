"""What a uartbone card has to do, in plain Python from the protocol alone, and a serial line for simulations."""

COUNTING = {1: "write", 2: "read"}
FIXED = {3: "write", 4: "read"}
REACH = 0x1000


class BoneModel:
    """Bytes, lost bytes and silences in; ``writes`` (byte address, word), ``reads`` and ``answers`` out.

    ``memory`` says what reads give. Written from the protocol's description, for registers from ``base`` on.
    """

    def __init__(self, read, base=0):
        self.read, self.base = read, base
        self.begun = bytearray()
        self.lost = False
        self.writes, self.answers = [], bytearray()
        self.framing = self.refused = self.abandoned = 0

    def silence(self):
        self.abandoned += bool(self.begun)
        self.begun.clear()
        self.lost = False

    def error(self):
        self.framing += 1
        if not self.lost:
            self.abandoned += bool(self.begun)
        self.begun.clear()
        self.lost = True

    def byte(self, value):
        if self.lost:
            return
        self.begun.append(value)
        command = self.begun
        action = COUNTING.get(command[0]) or FIXED.get(command[0])
        if action is None or command[1:2] == b"\0":
            self.refused += 1
            self.begun = bytearray()
            self.lost = True
            return
        if len(command) < 6:
            return
        count = command[1]
        first = 4 * int.from_bytes(command[2:6], "big")
        stride = 4 if command[0] in COUNTING else 0
        places = [first + stride * number - self.base for number in range(count)]
        inside = [first - self.base >= 0 and place < REACH for place in places]
        if action == "read":
            for place, there in zip(places, inside, strict=True):
                self.answers += (self.read(place) if there else 0).to_bytes(4, "big")
            self.begun = bytearray()
            return
        done, rest = divmod(len(command) - 6, 4)
        if done and not rest:
            if inside[done - 1]:
                self.writes.append((places[done - 1], int.from_bytes(command[-4:], "big")))
            if done == count:
                self.begun = bytearray()


def command(code, address, words=(), count=None):
    """The bytes of a command, written out as the protocol's table has them."""
    count = len(words) if count is None else count
    return bytes([code, count]) + (address >> 2).to_bytes(4, "big") + b"".join(w.to_bytes(4, "big") for w in words)


async def send(ctx, line, data, bit, *, stop=1):
    """Bytes onto a line, 8N1, ``bit`` seconds per bit; ``stop`` 0 spoils the stop bits."""
    for octet in data:
        for level in (0, *(octet >> place & 1 for place in range(8)), stop):
            ctx.set(line, level)
            await ctx.delay(bit)
    ctx.set(line, 1)


async def listen(ctx, line, bit, received):
    """Everything on a line into ``received``, sampled at the middle of each bit; a missing stop bit is an error."""
    while True:
        await ctx.negedge(line)
        await ctx.delay(bit / 2)
        assert ctx.get(line) == 0, "a start bit that is none"
        octet = 0
        for place in range(8):
            await ctx.delay(bit)
            octet |= ctx.get(line) << place
        await ctx.delay(bit)
        assert ctx.get(line) == 1, "no stop bit"
        received.append(octet)
