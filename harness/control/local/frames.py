"""A capture through the served engine: ``POST /halfsilver/frames`` takes pcap or pcapng, and answers with the copies.

    direction  ingress, egress or auto (egress if an interface of the NIC, or ``eni``, sent the frame; the default)
    eni        all frames must be this interface's

The answer is a pcapng as ``halfsilver mirror -w`` writes it: copies in the order of their frames, with the frame's time
and with its verdict as comments. Two headers have the rest: ``x-halfsilver-verdicts`` counts the verdicts,
``x-halfsilver-generation`` is the generation of the store whose policy judged. Frames of an interface can be sent by
its account alone, and by users whose policies allow it.
"""

from __future__ import annotations

import io
import json
import urllib.parse
from collections import Counter
from collections.abc import Sequence

from halfsilver.harness.capture.compression import compression_of
from halfsilver.harness.capture.formats import CapturedFrame
from halfsilver.harness.capture.reader import CaptureReader
from halfsilver.harness.capture.writer import PcapngWriter
from halfsilver.harness.control.control import Control
from halfsilver.harness.control.http.exchange import Route
from halfsilver.harness.control.http.protocols import Response
from halfsilver.harness.control.http.request import Request
from halfsilver.harness.control.iam.authorization import Check, require
from halfsilver.harness.control.operations.call import Call
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.control.operations.identifiers import TYPES
from halfsilver.harness.control.plane.data_plane import Judged
from halfsilver.harness.control.plane.nic_policy import NicPolicy
from halfsilver.harness.control.state.record import Kind
from halfsilver.harness.errors import HalfsilverError, UsageError
from halfsilver.harness.policy.policy import Interface
from halfsilver.harness.records import Frame
from halfsilver.harness.report.copy_comment import copy_comment
from halfsilver.harness.report.verdict_lines import verdict_line
from halfsilver.harness.verdict import Direction

__all__ = ["ACTION", "FRAMES_PATH", "MAX_FRAMES", "NAME", "direct", "frames_route", "permit", "read_capture"]

FRAMES_PATH = "/halfsilver/frames"
NAME = "ProcessFrames"
ACTION = f"halfsilver:{NAME}"
"""What IAM policies call it; its resources are network interfaces."""
MAX_FRAMES = 2_000
"""Frames of one request: no change of the policy waits longer than these take."""

_DIRECTIONS = ("ingress", "egress", "auto")
_MEDIA_TYPE = "application/vnd.tcpdump.pcap"


def frames_route(control: Control) -> Route:
    def answer(request: Request, call: Call) -> Response:
        direction, eni_id = _read_query(request.query_string)
        captured = read_capture(request.body)
        try:
            nic = control.nic()
            frames = direct(captured, direction, nic.policy.interfaces, eni_id)
            permit(control, call, nic, frames)
            judged = control.process(frames)
        except HalfsilverError as error:
            raise ApiError("ServiceUnavailable", f"No frame was judged: {error}.", 503) from error
        verdicts = Counter(str(record.verdict) for record in judged.result.verdicts)
        return Response(
            200,
            _write(captured, judged),
            (
                ("content-type", _MEDIA_TYPE),
                ("x-halfsilver-verdicts", " ".join(f"{name}={count}" for name, count in sorted(verdicts.items()))),
                ("x-halfsilver-generation", str(judged.generation)),
            ),
        )

    return Route(NAME, ("POST",), answer)


def _read_query(query: str) -> tuple[str, str | None]:
    """Direction and interface."""
    try:
        values = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, max_num_fields=2))
    except ValueError:
        raise ApiError("InvalidQueryParameter", "There are two parameters, direction and eni") from None
    unknown = sorted(values.keys() - {"direction", "eni"})
    if unknown:
        raise ApiError("UnknownParameter", f"The parameter {unknown[0][:64]} is not recognized")
    direction = values.get("direction", "auto")
    if direction not in _DIRECTIONS:
        raise ApiError("InvalidParameterValue", f"direction must be {', '.join(_DIRECTIONS)}, not {direction[:64]}")
    return direction, values.get("eni")


def read_capture(body: bytes) -> list[CapturedFrame]:
    """The frames of a pcap or pcapng. ApiError if it is none, has no frame, or too many."""
    if (packed := compression_of(body)) is not None:  # a small one may unpack to any size
        raise ApiError("InvalidParameterValue", f"the body is compressed ({packed.name}); send it unpacked")
    reader = CaptureReader(io.BytesIO(body), "the body")
    captured: list[CapturedFrame] = []
    try:
        for frame in reader:
            if len(captured) == MAX_FRAMES:
                raise ApiError("InvalidParameterValue", f"the body has more than {MAX_FRAMES} frames; send several")
            captured.append(frame)
    except UsageError as error:
        raise ApiError("InvalidParameterValue", str(error)) from error
    if reader.damage:
        raise ApiError("InvalidParameterValue", f"the body is damaged at {reader.damage[0]}")
    if reader.lifted:
        raise ApiError("InvalidParameterValue", "the body has frames without Ethernet header, which no interface has")
    if not captured:
        raise ApiError("InvalidParameterValue", "the body holds no frame; send a pcap or pcapng file")
    return captured


def direct(
    captured: Sequence[CapturedFrame], direction: str, interfaces: Sequence[Interface], eni_id: str | None
) -> list[Frame]:
    """The frames with their directions; ApiError if one is not ``eni_id``'s."""
    own = [each.mac for each in interfaces if eni_id in (None, each.eni_id)]
    if eni_id is not None and not own:
        raise ApiError("InvalidNetworkInterfaceID.NotFound", f"The NIC does not carry '{eni_id[:64]}'")
    frames = []
    for number, each in enumerate(captured, 1):
        guess = Direction.EGRESS if each.data[6:12] in own else Direction.INGRESS
        frame = Frame(each.data, guess if direction == "auto" else Direction[direction.upper()])
        if eni_id is not None:
            interface = _interface_of(frame, interfaces)
            if interface is None or interface.eni_id != eni_id:
                raise ApiError("InvalidParameterValue", f"Frame {number} is not one of {eni_id}")
        frames.append(frame)
    return frames


def permit(control: Control, call: Call, nic: NicPolicy, frames: Sequence[Frame]) -> None:
    """ApiError unless the caller may send frames of these interfaces."""
    found = {each.eni_id for each in (_interface_of(frame, nic.policy.interfaces) for frame in frames) if each}
    for eni_id in sorted(found):
        if nic.owners[eni_id] != call.caller.account:
            raise ApiError("UnauthorizedOperation", f"{eni_id} belongs to another account, so do its frames.", 403)
    names = [f"{TYPES[Kind.INTERFACE]}/{eni_id}" for eni_id in sorted(found)]
    arns = [control.settings.arn("ec2", call.caller.account, name) for name in names]
    require(call, control.settings, control.policies(call.caller), [Check(ACTION, arn) for arn in arns or ["*"]])


def _interface_of(frame: Frame, interfaces: Sequence[Interface]) -> Interface | None:
    """Whose frame it is (``docs/mirroring.md`` section 2)."""
    egress = frame.direction is Direction.EGRESS
    address = frame.data[6:12] if egress else frame.data[:6]
    if not egress and address[0] & 1:
        return interfaces[0] if interfaces else None
    return next((each for each in interfaces if each.mac == address), None)


def _write(captured: Sequence[CapturedFrame], judged: Judged) -> bytes:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    for output in sorted(judged.result.outputs, key=lambda output: output.frame):
        record, policy = judged.result.verdicts[output.frame], judged.nic.policy
        line = json.dumps(verdict_line(record, output.frame + 1, policy))
        writer.write(output.data, captured[output.frame].timestamp, copy_comment(record, policy), line)
    return stream.getvalue()
