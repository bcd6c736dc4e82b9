"""Where the totals are: one row for each counter that can count, all groups in one RAM."""

from amaranth.hdl import Array, C, Cat, Mux
from amaranth.lib import data

from halfsilver.hdl.layout.counters import VERDICT_BITS, CounterGroupCode, PortCode, counter_index
from halfsilver.hdl.layout.tables import SESSION_BITS
from halfsilver.hdl.layout.verdict import DirectionCode
from halfsilver.hdl.structs import struct_of

__all__ = ["PORTS", "Rows"]

_SESSIONS = (1 << SESSION_BITS) - 1
"""Sessions of an ENI for which there are rows; the place of one more is free, and ENI 0's has the verdicts."""

_SENT, _GOOD = 0, 2
"""Behind the rules of a session: its copies sent and skipped, and at ENI 0 a port's frames, good and bad."""

_EXTRA = 4

PORTS = {
    DirectionCode.INGRESS: (PortCode.NETWORK_IN, PortCode.HOST_OUT),
    DirectionCode.EGRESS: (PortCode.HOST_IN, PortCode.NETWORK_OUT, PortCode.COPIES_OUT),
}
"""Ports by the direction whose frames they see; the place in the tuple is the session beside whose rows theirs are."""


class Rows:
    """Rows of a build: {ENI, session, place} of one direction, the place lowest; the direction is on top of that.

    layout   of one direction
    walked   rows of one direction, as `following` goes through them
    """

    def __init__(self, parameters):
        self._rules, self._enis, self._eni_bits = parameters.rules, parameters.enis, parameters.eni_bits
        self._indices = {
            group: counter_index(group, parameters.eni_bits, parameters.rule_bits) for group in CounterGroupCode
        }
        place_bits = max(VERDICT_BITS, (parameters.rules + _EXTRA - 1).bit_length())
        self.layout = data.StructLayout({"place": place_bits, "session": SESSION_BITS, "eni": self._eni_bits})
        self.walked = self._enis * _SESSIONS * (self._rules + _EXTRA) + (1 << VERDICT_BITS)

    def following(self, row):
        """The row behind ``row`` (the first one is 0), and whether ``row`` is the last one."""
        of_session = row.session != _SESSIONS
        last_place = row.place == self._rules + _EXTRA - 1
        last_session = row.session == _SESSIONS - 1
        last_eni = row.eni == self._enis - 1
        behind = Cat(
            Mux(of_session & last_place, 0, row.place + 1)[: self.layout["place"].width],
            Mux(of_session & last_place, Mux(last_session & ~last_eni, 0, row.session + 1), row.session)[:SESSION_BITS],
            Mux(of_session & last_place & last_session, Mux(last_eni, 0, row.eni + 1), row.eni)[: self._eni_bits],
        )
        return behind, ~of_session & row.place[:VERDICT_BITS].all()

    def is_verdict(self, row):
        return row.session == _SESSIONS

    def is_rule(self, row):
        return (row.session != _SESSIONS) & (row.place < self._rules)

    def is_session(self, row):
        """Bits: sent, skipped."""
        return self._extra(row, _SENT)

    def is_port(self, row, direction, port):
        """Bits: the port's good frames, its bad ones; ``direction`` is the row's, as a signal."""
        way, session = _of_port(port)
        here = (direction == way) & (row.session == session) & (row.eni == 0)
        return Cat(here & bit for bit in self._extra(row, _GOOD))

    def _extra(self, row, place):
        """Bits: the row is this place behind the rules of a session, or the next one."""
        of_session = row.session != _SESSIONS
        return Cat(of_session & (row.place == self._rules + place + bit) for bit in range(2))

    def of_counter(self, group, index):
        """The row of a counter, the direction on top, and whether there is that counter."""
        verdict, session, rule, port = (
            struct_of(self._indices[code])(index[: self._indices[code].width]) for code in CounterGroupCode
        )
        places, ways = zip(*(_session_and_way(code) for code in range(1 << len(port.port.as_value()))), strict=True)
        place_bits = self.layout["place"].width

        def behind(extra, bit):
            """A place behind the rules, or the next one."""
            return Mux(bit, C(self._rules + extra + 1, place_bits), C(self._rules + extra, place_bits))

        rows = [
            Cat(verdict.verdict, C(0, place_bits - VERDICT_BITS), C(_SESSIONS, SESSION_BITS), C(0, self._eni_bits)),
            Cat(behind(_SENT, session.skipped), session.session, session.eni),
            Cat(rule.rule, C(0, place_bits - len(rule.rule)), rule.session, rule.eni),
            Cat(behind(_GOOD, port.bad), Array(places)[port.port.as_value()], C(0, self._eni_bits)),
        ]
        directions = [verdict.direction, session.direction, rule.direction, Array(ways)[port.port.as_value()]]
        exist = [
            True,
            session.session != _SESSIONS,
            (rule.session != _SESSIONS) & (rule.rule < self._rules),
            port.port.as_value() < len(PortCode),
        ]
        row = Array(Cat(row, direction) for row, direction in zip(rows, directions, strict=True))[group]
        within = [index >> self._indices[code].width == 0 for code in CounterGroupCode]
        return row, Array(one & other for one, other in zip(exist, within, strict=True))[group]


def _of_port(port):
    """(direction, session) of the port's rows."""
    for way, ports in PORTS.items():
        if port in ports:
            return way, ports.index(port)
    raise ValueError(f"{port!r} is no port")


def _session_and_way(code):
    """(session, direction) of the port's rows, as constants; of no port they do not matter."""
    way, session = _of_port(PortCode(code)) if code < len(PortCode) else (0, 0)
    return C(session, SESSION_BITS), C(way, 1)
