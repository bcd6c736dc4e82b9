"""Claims about a block, the models in which they are made, and the faults that must refute each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from halfsilver.sim.formal.changed import Fault, Parts, changed

__all__ = ["Claim", "Model", "Setup"]


@dataclass(slots=True)
class Model:
    """What a set-up makes: a module with block and monitors."""

    m: Module = field(default_factory=Module)
    inputs: list[Any] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    assumed: list[Any] = field(default_factory=list)

    def free(self, width: Any, name: str) -> Any:
        """A signal that may be anything in every clock."""
        signal = Signal(width, name=name)
        self.inputs.append(Value.cast(signal))
        return signal

    def constant(self, width: int, name: str) -> Any:
        """A signal that may be anything, but the same in all clocks since the last reset."""
        begun, kept = Signal(name=f"{name}_begun"), Signal(width, name=f"{name}_kept")
        value = Signal(width, name=name)
        self.m.d.comb += value.eq(Mux(begun, kept, self.free(width, f"{name}_free")))
        self.m.d.sync += [begun.eq(1), kept.eq(value)]
        return value

    def opened(self, component: Any) -> Any:
        """Makes the component the model's ``dut``. Returns its parts, whose ports can be watched too."""
        inside = component.elaborate(None)
        component._MustUse__used = True  # as Amaranth does where it elaborates one itself
        self.m.submodules.dut = inside
        return inside.submodules

    def offers(self, stream: Any, name: str) -> None:
        """A stream into the block that may offer anything."""
        self.m.d.comb += [
            stream.valid.eq(self.free(1, f"{name}_valid")),
            Value.cast(stream.payload).eq(self.free(len(Value.cast(stream.payload)), f"{name}_payload")),
        ]

    def takes(self, stream: Any, name: str) -> None:
        """A stream out of the block whose receiver takes when it likes."""
        self.m.d.comb += stream.ready.eq(self.free(1, f"{name}_ready"))

    def assume(self, condition: Any) -> None:
        """In every clock."""
        signal = Signal(name=f"assumed_{len(self.assumed)}")
        self.m.d.comb += signal.eq(condition)
        self.assumed.append(signal)

    def bad(self, name: str, value: Any) -> None:
        signal = Signal(name=name)
        self.m.d.comb += signal.eq(value)
        self.outputs[name] = signal


@dataclass(frozen=True, slots=True)
class Claim:
    """``bad`` is an output of the model, or several; none is ever 1. ``fault`` makes one of them 1 within ``clocks``
    clocks, up to which the claim is searched in any case. ``induction``: longest k that is tried; ``seconds``: of the
    processor, for IC3.
    """

    what: str
    bad: tuple[str, ...]
    fault: Fault
    clocks: int = 16
    induction: int = 2
    seconds: float = 0
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """A block at its parameters; ``build`` makes the model. ``shrinks``: constants of the gateware that are smaller.
    ``freed``: parts of the block, by their place in it (``dut.part``), whose outputs may be anything. ``resets``: they
    may come in any clock.
    """

    block: str
    parameters: str
    build: Callable[[Parts], Model]
    claims: Sequence[Claim]
    shrinks: Sequence[Fault] = ()
    freed: Sequence[str] = ()
    resets: bool = True

    def model(self, fault: Fault | None = None) -> Model:
        """The model with a fault in it."""
        with changed((*self.shrinks, fault) if fault else self.shrinks) as parts:
            return self.build(parts)
