"""I/O cells of Lattice ECP5: DDR registers, and static delays in steps of 25 ps.

Source: Lattice FPGA-TN-02035 (ECP5 high-speed I/O interface), IDDRX1F, ODDRX1F and DELAYG.
"""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["DELAY_STEP_PS", "Ecp5Cells"]

DELAY_STEP_PS = 25
_STEPS = 128


def _delayed(m, signal, step, name):
    """``signal`` through a DELAYG for each bit, or itself for no steps.

    nextpnr takes DEL_VALUE only as a number, and heeds it only in the mode USER_DEFINED: a string like "DELAY80" would
    be passed over without a word.
    """
    if not step:
        return signal
    late = Signal.like(signal, name=f"{name}_late")
    for bit in range(len(signal)):
        m.submodules[f"delay_{bit}"] = Instance(
            "DELAYG", p_DEL_MODE="USER_DEFINED", p_DEL_VALUE=step, i_A=signal[bit], o_Z=late[bit]
        )
    return late


class _Capture(wiring.Component):
    """Pins -> both halves."""

    def __init__(self, width, step):
        self._step = step
        super().__init__({"i": In(width), "o": Out(2 * width)})

    def elaborate(self, platform):
        m = Module()
        width = len(self.i)
        pins = _delayed(m, self.i, self._step, "pins")
        for bit in range(width):
            m.submodules[f"cell_{bit}"] = Instance(
                "IDDRX1F",
                i_SCLK=ClockSignal(),
                i_RST=Const(0),
                i_D=pins[bit],
                o_Q0=self.o[bit],
                o_Q1=self.o[width + bit],
            )
        return m


class _Launch(wiring.Component):
    """Both halves -> pins."""

    def __init__(self, width, step):
        self._step = step
        super().__init__({"i": In(2 * width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        width = len(self.o)
        pins = Signal(width)
        for bit in range(width):
            m.submodules[f"cell_{bit}"] = Instance(
                "ODDRX1F",
                i_SCLK=ClockSignal(),
                i_RST=Const(0),
                i_D0=self.i[bit],
                i_D1=self.i[width + bit],
                o_Q=pins[bit],
            )
        m.d.comb += self.o.eq(_delayed(m, pins, self._step, "pins"))
        return m


class Ecp5Cells:
    """The cells of one port.

    ``receive_delay_ps`` holds data and control back behind the receive clock, ``transmit_delay_ps`` the transmit
    clock behind its data: 2,000 each where neither board nor PHY shifts the clock, 0 where one does (RGMII-ID).
    They are rounded to steps of 25 ps; the most is 3,175. Both are a property of the board and of how its PHY is
    strapped. The pins must be those of the top, behind plain buffers: nothing may be between cell and buffer.
    """

    clock_domain = "tx"

    def __init__(self, *, receive_delay_ps, transmit_delay_ps):
        self._steps = {
            name: _steps(name, value)
            for name, value in (("receive_delay_ps", receive_delay_ps), ("transmit_delay_ps", transmit_delay_ps))
        }

    def receive(self, width):
        """A component with ``i``, the pins, and ``o``: rising edge in the low half, falling edge in the high half."""
        return _Capture(width, self._steps["receive_delay_ps"])

    def transmit(self, width, *, clock=False):
        """A component with ``i``, both halves, and ``o``, the pins; ``clock``: for the pin of the clock."""
        return _Launch(width, self._steps["transmit_delay_ps"] if clock else 0)


def _steps(name, picoseconds):
    steps = round(picoseconds / DELAY_STEP_PS)
    if not 0 <= steps < _STEPS:
        raise ValueError(f"{name} must be 0 to {DELAY_STEP_PS * (_STEPS - 1)}, not {picoseconds!r}")
    return steps
