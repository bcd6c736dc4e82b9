"""Why a frame was, or was not, copied: the walk that ``halfsilver explain`` prints, for frames of a capture or for one
that is written down by its headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.console.frames.judging import DIRECTIONS, model_of, nic_of, permitted, uploaded
from halfsilver.harness.console.frames.named_frame import PROTOCOLS, named_frame
from halfsilver.harness.console.visit import Visit, page
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.nic_policy import NicPolicy
from halfsilver.harness.golden.narrate import describe
from halfsilver.harness.records import Frame
from halfsilver.harness.report.page.groups import MEANING, Group, group_of
from halfsilver.harness.report.page.layers import Layer, layers_of
from halfsilver.harness.report.run_sums import Fate, RunSums
from halfsilver.harness.report.tables import share
from halfsilver.harness.report.verdict_lines import why
from halfsilver.harness.verdict import VerdictRecord

__all__ = ["SHOWN", "Explained"]

SHOWN = 100
"""Frames of a capture that are explained one by one; the others are counted."""
WITH_LAYERS = 10
"""Of those, frames that can be opened layer by layer."""
_FOREIGN = "  its rules belong to another account"


@dataclass(frozen=True, slots=True)
class Explained:
    """A frame with its number from 1: what became of it, in which group that is, every step of why, its headers."""

    number: int
    record: VerdictRecord
    why: str
    group: Group
    walk: tuple[str, ...]
    layers: tuple[Layer, ...]


@page("GET", "/why-not")
def ask_why_not(visit: Visit) -> Response:
    return _show(visit)


@page("POST", "/why-not")
def explain_capture(visit: Visit) -> Response:
    """Nothing is kept, and no counter counts it: the model is one that was made for this."""
    try:
        captured = uploaded(visit, "capture")
        number = _number(visit, len(captured))
        return _explain(visit, captured, number)
    except ApiError as error:
        return _show(visit, error)


@page("POST", "/why-not/frame")
def explain_named(visit: Visit) -> Response:
    try:
        frame = named_frame(visit.form, nic_of(visit).policy.interfaces)
        return _explain(visit, [CapturedFrame(frame, 0, len(frame))], 1)
    except ApiError as error:
        return _show(visit, error)


def _explain(visit: Visit, captured: Sequence[CapturedFrame], number: int | None) -> Response:
    nic = nic_of(visit)
    frames = permitted(visit, nic, captured)
    sums = RunSums()
    explained = list(_judged(visit, nic, frames, sums, number))
    verdicts = sums.by(lambda fate: fate.verdict)
    rows = [
        (verdict, *MEANING[verdict], part, share(part.frames, sums.frames))
        for verdict, part in sorted(verdicts.items(), key=lambda item: list(MEANING).index(item[0]))
    ]
    return _show(visit, None, verdicts=rows, frames=sums.frames, explained=explained)


def _judged(
    visit: Visit, nic: NicPolicy, frames: Sequence[Frame], sums: RunSums, wanted: int | None
) -> Iterator[Explained]:
    """Those of the frames that are shown: the one that is wanted, or the first ones. All are summed up."""
    model = model_of(nic, visit.control.engine())
    foreign = [each for each, owner in nic.owners.items() if owner != visit.caller.account]
    for number, frame in enumerate(frames, 1):
        trace = model.explain(frame)
        sums.add([trace.record])
        if number == wanted or (wanted is None and number <= SHOWN):
            yield Explained(
                number,
                trace.record,
                why(nic.policy, Fate.of(trace.record)),
                group_of(trace.record.verdict),
                tuple(_without(describe(trace), foreign)),
                tuple(layers_of(frame.data)) if number == wanted or number <= WITH_LAYERS else (),
            )


def _without(lines: Sequence[str], foreign: Sequence[str]) -> Iterator[str]:
    """A walk without the rules of other accounts' sessions, whose owners alone may see them."""
    hidden = False
    for line in lines:
        if hidden and line.startswith(" "):
            continue
        yield line
        hidden = line.startswith("session ") and any(f"({each})" in line for each in foreign)
        if hidden:
            yield _FOREIGN


def _number(visit: Visit, frames: int) -> int | None:
    """The number of the frame that the form wants; None for all."""
    text = visit.form.get("number")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and 1 <= int(text) <= frames):
        raise ApiError("InvalidParameterValue", f"The capture has no frame {text[:20]}, its frames are 1 to {frames}")
    return int(text)


def _show(visit: Visit, error: ApiError | None = None, **found: object) -> Response:
    try:
        owners = nic_of(visit).owners
        interfaces = [each.eni_id for each in nic_of(visit).policy.interfaces]
    except ApiError:
        owners, interfaces = {}, []
    own = [(each, each) for each in interfaces if owners[each] == visit.caller.account]
    values = {"verdicts": None, "frames": 0, "explained": [], **found}
    return visit.show(
        "why_not.html",
        error=error,
        form=visit.form,
        directions=DIRECTIONS,
        own=own,
        protocols=PROTOCOLS,
        most=SHOWN,
        **values,
    )
