"""Frames that somebody uploads, judged by the golden model: those that the API would take too (``ProcessFrames``)."""

from __future__ import annotations

from collections.abc import Sequence

from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.console.visit import Visit
from halfsilver.harness.console.web import MAX_UPLOAD
from halfsilver.harness.control.local.frames import NAME, direct, permit, read_capture
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.plane.nic_policy import NicPolicy
from halfsilver.harness.engine import Identity
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import HalfsilverError
from halfsilver.harness.records import Frame

__all__ = ["DIRECTIONS", "check_region", "model_of", "nic_of", "permitted", "uploaded"]

DIRECTIONS = (
    ("auto", "by the sender: egress if an interface of the NIC sent it"),
    ("ingress", "ingress: they come in"),
    ("egress", "egress: they go out"),
)


def check_region(visit: Visit) -> None:
    """ApiError in another region than the NIC's: it meets none of that one's frames."""
    if visit.region:
        message = f"The NIC is in {visit.control.settings.region}: it meets no frame of {visit.region}."
        raise ApiError("UnsupportedOperation", message)


def nic_of(visit: Visit) -> NicPolicy:
    """What the NIC does. ApiError: it is in another region, or its engine is down."""
    check_region(visit)
    try:
        return visit.control.nic()
    except HalfsilverError as error:
        raise ApiError("ServiceUnavailable", f"No frame was judged: {error}.", 503) from error


def uploaded(visit: Visit, name: str) -> list[CapturedFrame]:
    """The frames of an uploaded capture. ApiError if there is none, or it is none."""
    upload = visit.form.files.get(name)
    if upload is None:
        raise ApiError("MissingParameter", f"Choose a capture: a pcap or pcapng file of at most {MAX_UPLOAD:,} bytes")
    return read_capture(upload.data)


def permitted(visit: Visit, nic: NicPolicy, captured: Sequence[CapturedFrame]) -> list[Frame]:
    """The frames with their directions. ApiError unless the user may send frames of their interfaces."""
    direction = visit.form.get("direction") or "auto"
    if direction not in dict(DIRECTIONS):
        raise ApiError("InvalidParameterValue", "direction must be auto, ingress or egress")
    frames = direct(captured, direction, nic.policy.interfaces, None)
    permit(visit.control, visit.beside(NAME), nic, frames)
    return frames


def model_of(nic: NicPolicy, build: Identity | None) -> GoldenEngine:
    """The golden model, with the limits of the engine that does the work."""
    model = GoldenEngine.like(build)
    model.configure(nic.policy)
    return model
