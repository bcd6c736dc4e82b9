"""Several bridges in front of one set of registers: a serial line and Etherbone, for example."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus
from halfsilver.hdl.layout.register_map import ADDRESS_BITS, WORD_BITS

__all__ = ["BusShare"]


class BusShare(wiring.Component):
    """Initiators of the register bus take turns, access by access.

    Parameters: ``initiators``, at least 2.

    Ports: ``i`` (of each), ``bus``. Writes and reads of one initiator keep their order, and each initiator gets the
    answers to its own reads. Latency: one clock more, and as many as others are before it; a read may wait for the
    reads of the others. Throughput: an initiator that writes no more often than every ``initiators`` clocks loses no
    write (the bridges here write every second clock at most).

    Registers in which one access says what the next one means (TABLE_ADDRESS, COUNTER_ADDRESS) are not shared by this:
    two hosts that use them at a time disturb each other, which TABLE_CRC shows.
    """

    def __init__(self, initiators):
        if initiators < 2:
            raise ValueError(f"initiators must be at least 2, not {initiators!r}")
        self._initiators = initiators
        super().__init__({"i": In(RegisterBus()).array(initiators), "bus": Out(RegisterBus())})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        reading = Signal()  # a read is under way ...
        reader = Signal(range(self._initiators))  # ... for this one
        favoured = Signal(range(self._initiators))
        with m.If(bus.read_valid):
            m.d.sync += reading.eq(0)

        wants = []
        for number, initiator in enumerate(self.i):
            has_write, has_read = Signal(name=f"has_write_{number}"), Signal(name=f"has_read_{number}")
            write_address = Signal(ADDRESS_BITS, name=f"write_address_{number}")
            read_address = Signal(ADDRESS_BITS, name=f"read_address_{number}")
            data = Signal(WORD_BITS, name=f"data_{number}")
            granted = Signal(name=f"granted_{number}")
            with m.If(granted):
                m.d.sync += has_write.eq(0)
                with m.If(~has_write):
                    m.d.sync += has_read.eq(0)
            with m.If(initiator.write):
                m.d.sync += [has_write.eq(1), write_address.eq(initiator.address), data.eq(initiator.write_data)]
            with m.If(initiator.read):
                m.d.sync += [has_read.eq(1), read_address.eq(initiator.address)]
            wants.append((has_write, has_read, write_address, read_address, data, granted))
            m.d.comb += [
                initiator.read_data.eq(bus.read_data),
                initiator.read_valid.eq(bus.read_valid & (reader == number)),
            ]

        ready = [has_write | (has_read & ~reading) for has_write, has_read, *_ in wants]
        with m.Switch(favoured):
            for first in range(self._initiators):
                with m.Case(first):
                    # Round robin: the first that is ready, from the favoured one on.
                    turns = [(first + step) % self._initiators for step in range(self._initiators)]
                    for place, number in enumerate(turns):
                        has_write, has_read, write_address, read_address, data, granted = wants[number]
                        with m.If(ready[number]) if place == 0 else m.Elif(ready[number]):
                            m.d.comb += [
                                granted.eq(1),
                                bus.write.eq(has_write),
                                bus.read.eq(~has_write),
                                bus.address.eq(Mux(has_write, write_address, read_address)),
                                bus.write_data.eq(data),
                            ]
                            m.d.sync += favoured.eq((number + 1) % self._initiators)
                            with m.If(~has_write):
                                m.d.sync += [reading.eq(1), reader.eq(number)]
        return m
