"""Clocks of an ECP5: one PLL, and a clock domain per output that waits for its lock. And words that are constant.

Source: Lattice FPGA-DS-02012 (ECP5 and ECP5-5G family), sysCLOCK PLL timing; FPGA-TN-02200 (clocks), for the phases.
"""

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, Signal

__all__ = ["ClockTree", "FixedWord", "Output", "PllSettings", "clock_net", "settle_pll"]

PFD_HZ = (10e6, 400e6)
VCO_HZ = (400e6, 800e6)
DIVIDERS = 128
OUTPUTS = ("OP", "OS", "OS2", "OS3")


@dataclass(frozen=True)
class Output:
    """A clock wanted: its domain, in Hz, and by how many degrees it is behind the first."""

    domain: str
    hertz: float
    phase: int = 0


@dataclass(frozen=True)
class PllSettings:
    """Dividers of the PLL: input, feedback, and one per output; VCO in Hz."""

    reference: int
    feedback: int
    dividers: tuple[int, ...]
    vco: float


def settle_pll(hertz_in, outputs):
    """PllSettings for outputs that are met exactly, feedback from the first, fastest comparison; ValueError."""
    if not 1 <= len(outputs) <= len(OUTPUTS):
        raise ValueError(f"an ECP5's PLL has 1 to {len(OUTPUTS)} outputs, not {len(outputs)}")
    first = Fraction(outputs[0].hertz)
    for reference in range(1, DIVIDERS + 1):
        compared = Fraction(hertz_in) / reference
        if compared < PFD_HZ[0]:
            break
        feedback = first / compared
        if compared > PFD_HZ[1] or feedback.denominator != 1 or feedback > DIVIDERS:
            continue
        # The VCO in the middle of its range is the one that is least in danger of leaving it.
        middle = sum(VCO_HZ) / 2
        for divider in sorted(range(1, DIVIDERS + 1), key=lambda each: abs(first * each - middle)):
            vco = first * divider
            ratios = [vco / Fraction(output.hertz) for output in outputs]
            if VCO_HZ[0] <= vco <= VCO_HZ[1] and all(
                ratio.denominator == 1 and ratio <= DIVIDERS and _eighths(ratio, output.phase).denominator == 1
                for ratio, output in zip(ratios, outputs, strict=True)
            ):
                return PllSettings(reference, int(feedback), tuple(int(ratio) for ratio in ratios), float(vco))
    wanted = ", ".join(f"{output.hertz / 1e6:g} MHz" for output in outputs)
    raise ValueError(f"no setting of the PLL makes {wanted} of {hertz_in / 1e6:g} MHz")


def clock_net(domain):
    """The signal that drives a domain's clock, by whose name the report of nextpnr knows it."""
    return Signal(name=f"clk_{domain}", attrs={"keep": 1})


def _eighths(divider, phase):
    """A phase in degrees as eighths of a VCO period, which are the PLL's steps."""
    return Fraction(phase * divider * 8, 360)


class ClockTree(Elaboratable):
    """Clock domains from one PLL, without resets: an ECP5 starts from what its configuration holds.

    Parameters: ``hertz_in``; ``outputs``, Outputs. Signals: ``clock``, the input. ``domains`` are for the module above
    to define. Their clocks stand still until the PLL has locked, so that no flip-flop sees a clock that is too fast.
    Flip-flops, whose reset takes a wire each, have none: that is a seventh of what is to be routed.
    """

    def __init__(self, hertz_in, outputs):
        self._outputs = tuple(outputs)
        self._settings = settle_pll(hertz_in, self._outputs)
        self._hertz_in = hertz_in
        self.clock = Signal()
        self.domains = [ClockDomain(output.domain, reset_less=True) for output in self._outputs]

    def elaborate(self, platform):
        m = Module()
        settings = self._settings
        made = [Signal(name=f"pll_{output.domain}") for output in self._outputs]
        base = settings.dividers[0] // 2  # phases count from a middle one, so that none is negative
        options = {}
        for place, output, divider, clock in zip(OUTPUTS, self._outputs, settings.dividers, made, strict=False):
            steps = int(_eighths(divider, output.phase))
            options |= {
                f"p_CLK{place}_ENABLE": "ENABLED",
                f"p_CLK{place}_DIV": divider,
                f"p_CLK{place}_CPHASE": base + steps // 8,
                f"p_CLK{place}_FPHASE": steps % 8,
                f"a_FREQUENCY_PIN_CLK{place}": f"{output.hertz / 1e6:g}",
                f"o_CLK{place}": clock,
            }
        locked = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self._hertz_in / 1e6:g}",
            a_ICP_CURRENT="12",  # the loop filter's values are those of Lattice's own tool
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=settings.reference,
            p_CLKFB_DIV=settings.feedback,
            i_CLKI=self.clock,
            i_CLKFB=made[0],
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_LOCK=locked,
            **options,
        )
        for output, clock in zip(self._outputs, made, strict=True):
            held = clock_net(output.domain)
            m.submodules[f"hold_{output.domain}"] = Instance("DCCA", i_CLKI=clock, i_CE=locked, o_CLKO=held)
            m.d.comb += ClockSignal(output.domain).eq(held)
        return m


class FixedWord(Elaboratable):
    """``o`` is ``value``, of so many ``bits``; each from a LUT of its own, which synthesis takes as it is.

    So what the value is changes these LUTs alone, and neither placement nor timing of what is around them.
    """

    def __init__(self, value, bits):
        self._value = value
        self.o = Signal(bits)

    def elaborate(self, platform):
        m = Module()
        for place in range(len(self.o)):
            table = Const(0xFFFF if self._value >> place & 1 else 0, 16)
            inputs = {f"i_{name}": Const(0) for name in "ABCD"}
            m.submodules += Instance("LUT4", a_keep=1, p_INIT=table, o_Z=self.o[place], **inputs)
        return m
