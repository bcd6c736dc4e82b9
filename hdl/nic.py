"""The NIC, put together: a bump in the wire between a network port and a host port, with the mirror beside it.

    i_net  --+------------------------> buffer (gate) -> o_host
             |
             +--> mirror --> copies --> egress --------> o_net
             |      |                     ^
    i_host --+------|---------------------+
                    \\--> verdicts --> counters, verdict ring, o_verdict

Every beat goes on as it comes and, in the same clock, to the mirror, which only looks. With the build option
``copies_leave="own"`` copies have a stream of their own, and production goes through a buffer both ways. With
``security_groups`` ingress waits at a gate for its verdict, and what the policy's lists do not let in goes no further.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from halfsilver.hdl.bus.register_file import RegisterBus, RegisterFile
from halfsilver.hdl.bus.table_check import TableCheck
from halfsilver.hdl.counting.counters import Counters
from halfsilver.hdl.counting.verdict_ring import Selection, VerdictRing
from halfsilver.hdl.egress import Egress
from halfsilver.hdl.gate import Gate
from halfsilver.hdl.layout.counters import PortCode
from halfsilver.hdl.layout.frames import MAX_FRAME
from halfsilver.hdl.layout.registers import REGISTERS
from halfsilver.hdl.mirror import Mirror
from halfsilver.hdl.packet import beat_layout, packet_signature
from halfsilver.hdl.parser.bank import frames_behind
from halfsilver.hdl.pipeline import delay
from halfsilver.hdl.records import VerdictRecord
from halfsilver.hdl.stream.frame_meter import FrameMeter
from halfsilver.hdl.stream.skid_buffer import SkidBuffer
from halfsilver.hdl.table_port import TablePort

__all__ = ["Nic"]

_JUDGED_CLOCKS = 128
"""From a frame's last beat to its verdict, up to 64 bits; at more, headers may be read later (`frames_behind`)."""


class Nic(wiring.Component):
    """Production path of both directions, mirror, counters and registers.

    Parameters: ``parameters`` (NicParameters).

    Ports
    -----
    i_net      frames from the network (ingress)
    o_host     the same frames, to the host
    i_host     frames from the host (egress)
    o_net      the same frames, to the network, and between them the VXLAN copies
    o_copy     the frame on ``o_net`` is a copy; valid and stable as its payload is
    o_mirror   the copies, instead, where they leave by a stream of their own
    o_verdict  one VerdictRecord per frame, as it is judged, for each matcher (`Mirror`)
    bus        the register map of `halfsilver.hdl.layout.registers`

    Frames pass unchanged, with their marks, in order, whatever the verdict, and are never dropped but by a guard.
    Latency: TO_HOST_LATENCY clocks to the host and TO_NET_LATENCY to the network (OWN_LATENCY where copies do not leave
    there), always, while the outputs are taken; to the network longer by a copy that has started before, and what it
    has held up until there are gaps (`Egress`). With ``security_groups`` a frame's first beat comes to the host
    Gate.LATENCY clocks after ``o_verdict`` has its verdict, at most ``held_clocks`` behind its last beat in, or when
    those before it have left.
    Throughput: one beat per clock both ways at once. An input is held where its output is not taken, and where the
    mirror could not judge every frame, as `Intake` says. An output that is not taken holds its own input only; copies
    wait with the network's, and are ``congested``.
    Bad input: goes on marked bad.
    Source: ``docs/mirroring.md`` sections 8 to 11.
    """

    TO_HOST_LATENCY = OWN_LATENCY = SkidBuffer.LATENCY
    TO_NET_LATENCY = Egress.LATENCY

    def __init__(self, parameters):
        self.parameters = parameters
        self._own = parameters.copies_leave == "own"
        packets = packet_signature(parameters.width)
        super().__init__(
            {
                "i_net": In(packets),
                "o_host": Out(packets),
                "i_host": In(packets),
                "o_net": Out(packets),
                **({"o_mirror": Out(packets)} if self._own else {"o_copy": Out(1)}),
                "o_verdict": Out(stream.Signature(VerdictRecord, always_ready=True)).array(self.parameters.matchers),
                "bus": In(RegisterBus()),
            }
        )

    @property
    def held_clocks(self):
        """From a frame's last beat to its verdict, at most: so many beats that follow have room at the gate."""
        return _JUDGED_CLOCKS + frames_behind(self.parameters)

    def elaborate(self, platform):
        m = Module()
        absent = {"GUARDS": not self.parameters.security_groups, "RECEIVERS": self.parameters.receivers == 1}
        m.submodules.registers = registers = RegisterFile([each for each in REGISTERS if not absent.get(each.name)])
        m.submodules.mirror = mirror = Mirror(self.parameters)
        m.submodules.counters = counters = Counters(self.parameters)
        m.submodules.ring = ring = VerdictRing(self.parameters.verdict_ring, self.parameters.matchers)
        m.submodules.check = check = TableCheck()

        # Production passes, and the mirror sees what passes.
        to_host, to_net = self._production(m, mirror, counters)
        self._enter(m, self.i_net, to_host, mirror.i_net)
        self._enter(m, self.i_host, to_net, mirror.i_host)

        # Verdicts are counted, kept and reported, and so is what passes.
        assert Mirror.FIRST_VERDICT >= Counters.FIRST_RECORD, "a verdict may come before it can be counted"
        for verdict, octets, records, kept, reported in zip(
            mirror.o_verdict, mirror.o_octets, counters.i, ring.i, self.o_verdict, strict=True
        ):
            m.d.comb += [
                records.valid.eq(verdict.valid),
                records.p.record.eq(verdict.payload),
                records.p.octets.eq(octets),
            ]
            m.d.comb += [kept.valid.eq(verdict.valid), kept.payload.eq(verdict.payload)]
            wiring.connect(m, verdict, wiring.flipped(reported))
        self._meter(m, counters)

        # The host reads and writes.
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        self._identify(m, registers, mirror)
        committing = self._write_tables(m, registers, check, mirror, counters.o_ready)
        self._read_counters(m, registers, counters)
        self._read_ring(m, registers, ring)
        # Reads wait for what the host has just asked for: a counter, the check of its words, or a commit. One that
        # follows a write at once is answered no sooner than the clock behind that write's strobe.
        counter = registers.w_counter_address_strobe | counters.read_busy
        checking = registers.w_table_data_strobe | check.settling
        m.d.sync += registers.hold.eq(counter | checking | committing)
        return m

    def _production(self, m, mirror, counters):
        """The ways out, with what follows the copies; returns the streams to the host and to the network."""
        beat, copies = beat_layout(self.parameters.width), mirror.o_copies
        if self.parameters.security_groups:
            m.submodules.gate = to_host = Gate(self.parameters.width, MAX_FRAME, self.held_clocks)
            wiring.connect(m, mirror.o_stop, to_host.i_stop)
            # As late as the events of the frames that pass: none seems to leave before the one ahead of it.
            m.d.comb += counters.i_stopped.eq(delay(m, to_host.o_stopped, FrameMeter.LATENCY, "stopped"))
        else:
            m.submodules.to_host = to_host = SkidBuffer(beat)
        wiring.connect(m, to_host.o, wiring.flipped(self.o_host))
        if self._own:
            m.submodules.to_net = to_net = SkidBuffer(beat)
            wiring.connect(m, copies, wiring.flipped(self.o_mirror))
        else:
            m.submodules.egress = to_net = Egress(self.parameters.width, self.parameters.longest_copy)
            wiring.connect(m, copies, to_net.i_copy)
            m.d.comb += self.o_copy.eq(to_net.o_copy)
        wiring.connect(m, to_net.o, wiring.flipped(self.o_net))
        return to_host.i, to_net.i

    def _meter(self, m, counters):
        """Frames are counted as they pass the ports, copies for themselves."""
        passing = {
            PortCode.NETWORK_IN: self.i_net,
            PortCode.NETWORK_OUT: self.o_net,
            PortCode.HOST_IN: self.i_host,
            PortCode.HOST_OUT: self.o_host,
            PortCode.COPIES_OUT: self.o_mirror if self._own else self.o_net,
        }
        is_copy = 0 if self._own else self.o_copy
        among = {PortCode.NETWORK_OUT: ~is_copy, PortCode.COPIES_OUT: 1 if self._own else is_copy}
        for code, port in passing.items():
            m.submodules[f"{code.name.lower()}_meter"] = meter = FrameMeter(self.parameters.width)
            m.d.comb += [
                meter.taken.eq(port.valid & port.ready & among.get(code, 1)),
                meter.beat.eq(port.payload),
                counters.i_ports[code].eq(meter.o),
            ]

    def _enter(self, m, port, passage, watched):
        """A beat is taken when it can both pass and be seen by the mirror, in one clock: nothing passes uncounted."""
        m.d.comb += [
            port.ready.eq(passage.ready & watched.ready),
            passage.valid.eq(port.valid & watched.ready),
            watched.valid.eq(port.valid & passage.ready),
            passage.payload.eq(port.payload),
            watched.payload.eq(port.payload),
        ]

    def _identify(self, m, registers, mirror):
        """What the card says of itself: its build, and which rule set is in force.

        Registers: ``r_`` is what the host reads, ``w_`` what it wrote, ``h_`` what the hardware writes.
        """
        parameters = self.parameters
        m.d.comb += [
            registers.r_shape.width.eq(parameters.width),
            registers.r_shape.enis.eq(parameters.enis),
            registers.r_shape.sessions.eq(parameters.sessions),
            registers.r_rules.rules.eq(parameters.rules),
            registers.r_rules.extension_headers.eq(parameters.extension_headers),
            registers.r_rules.chunk_bits.eq(parameters.chunk_bits),
            registers.r_rules.lookup_clocks.eq(parameters.lookup_clocks),
            registers.r_rules.matchers.eq(parameters.matchers),
            registers.r_queue.depth.eq(parameters.queue_depth),
            registers.r_copies.cut.eq(parameters.cut_copies),
            registers.r_copies.own.eq(self._own),
            registers.r_status.shadow_busy.eq(mirror.shadow_busy),
            registers.r_status.active_bank.eq(mirror.active),
            registers.r_status.generation.eq(mirror.generation),
        ]
        if parameters.security_groups:
            m.d.comb += registers.r_guards.security_groups.eq(parameters.security_groups)
        if parameters.receivers > 1:
            m.d.comb += registers.r_receivers.receivers.eq(parameters.receivers)

    def _write_tables(self, m, registers, check, mirror, counting):
        """Table words go to the shadow bank, or are refused and counted while that is still in use.

        So do commits, which also depend on the check of the words before them. A commit waits until all counters count,
        as no frame can be mirrored before the first one. Returns that a commit is under way.
        """
        address = registers.w_table_address
        strobe = registers.w_table_data_strobe
        waiting = Signal()
        m.d.sync += waiting.eq((check.commit | waiting) & ~counting)
        closed = mirror.shadow_busy | check.pending | waiting
        m.d.comb += [
            registers.h_table_address.eq(address),
            registers.h_table_address.index.eq(address.index + 1),
            registers.h_table_address_strobe.eq(strobe),
        ]
        refused = Signal(16)
        m.d.comb += registers.r_refused_writes.count.eq(refused)
        with m.If((strobe & closed) | check.refused):
            m.d.sync += refused.eq(refused + 1)

        assert Mirror.WRITE_CLOCKS == TableCheck.ALLOWED_CLOCKS == 1, "a word is written the clock after it was allowed"
        write = TablePort().create()
        m.d.sync += [
            write.enable.eq(strobe & ~closed),
            write.bank.eq(~mirror.active),
            write.table.eq(address.table),
            write.index.eq(address.index),
            write.data.eq(registers.w_table_data.value),
        ]
        wiring.connect(m, write, mirror.write, check.write)
        m.d.comb += [
            check.restart.eq(registers.w_table_check_strobe),
            check.request.eq(registers.w_commit_strobe & registers.w_commit.go),
            check.expected.eq(registers.w_expected_crc.value),
            check.required.eq(registers.w_table_check.required),
            check.busy.eq(mirror.shadow_busy | waiting),
            mirror.commit.eq((check.commit | waiting) & counting),
            registers.r_table_crc.value.eq(check.crc),
            registers.r_table_count.count.eq(check.count),
        ]
        return mirror.committing | waiting

    def _read_counters(self, m, registers, counters):
        """A write of COUNTER_ADDRESS shows that counter of the last snapshot, for the host to read in four words."""
        address = registers.w_counter_address
        m.d.comb += [
            counters.take.eq(registers.w_snapshot_strobe & registers.w_snapshot.take),
            registers.r_snapshot_status.busy.eq(counters.busy),
            registers.r_snapshot_status.taken.eq(counters.taken),
            counters.read.eq(registers.w_counter_address_strobe),
            counters.read_group.eq(address.group),
            counters.read_index.eq(address.index),
            registers.r_counter_frames_low.value.eq(counters.frames[:32]),
            registers.r_counter_frames_high.value.eq(counters.frames[32:]),
            registers.r_counter_bytes_low.value.eq(counters.octets[:32]),
            registers.r_counter_bytes_high.value.eq(counters.octets[32:]),
        ]

    def _read_ring(self, m, registers, ring):
        """The oldest verdict in four words; the last one takes it away."""
        words = [registers.r_ring_data_0, registers.r_ring_data_1, registers.r_ring_data_2, registers.r_ring_data_3]
        m.d.comb += [
            ring.restart.eq(registers.w_ring_select_strobe),
            *(ring.selection[name].eq(registers.w_ring_select[name]) for name in Selection.as_shape().members),
            registers.r_ring_status.held.eq(ring.level),
            registers.r_ring_status.depth.eq(self.parameters.verdict_ring),
            registers.r_ring_lost.count.eq(ring.lost),
            Cat(word.value for word in words).eq(Mux(ring.o.valid, ring.o.payload.as_value(), 0)),
            ring.o.ready.eq(registers.r_ring_data_3_strobe),
        ]
