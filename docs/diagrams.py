"""The two pictures of the README, described here and drawn as SVG: `pipeline.svg` and `packet.svg`.

Each has its own background and a second palette for dark pages, so it can be read on either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

__all__ = ["DIAGRAMS", "Box", "Canvas", "packet", "pipeline"]

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
LIGHT = {
    "page": "#ffffff",
    "ink": "#1c2733",
    "soft": "#51606f",
    "line": "#5b6b7a",
    "block": "#eef3f8",
    "edge": "#8fa3b5",
    "kept": "#dff1e3",
    "kept-edge": "#5d9a6c",
    "outer": "#fdebd3",
    "outer-edge": "#c08a3e",
    "table": "#efe8f8",
    "table-edge": "#8d76b3",
}
DARK = {
    "page": "#12181f",
    "ink": "#e7edf3",
    "soft": "#a3b1bf",
    "line": "#93a4b4",
    "block": "#1f2a35",
    "edge": "#5d7186",
    "kept": "#1c3826",
    "kept-edge": "#5fa873",
    "outer": "#43311a",
    "outer-edge": "#c7964f",
    "table": "#2e2540",
    "table-edge": "#9c86c4",
}


@dataclass(frozen=True)
class Box:
    """A block: position and size in pixels, a title, lines of smaller text, and its colour."""

    x: int
    y: int
    width: int
    height: int
    title: str
    notes: tuple[str, ...] = ()
    colour: str = "block"

    @property
    def centre(self) -> int:
        return self.x + self.width // 2

    @property
    def middle(self) -> int:
        return self.y + self.height // 2

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass
class Canvas:
    """An SVG being drawn; `svg` gives the finished file."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(self, box: Box) -> None:
        self.parts.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" class="{box.colour}"/>'
        )
        step = 17
        baseline = box.middle + 5 - step * len(box.notes) // 2
        self.text(box.centre, baseline, box.title, "title")
        for number, note in enumerate(box.notes, start=1):
            self.text(box.centre, baseline + step * number, note)

    def text(self, x: int, y: int, text: str, style: str = "note", anchor: str = "middle") -> None:
        place = f'x="{x}" y="{y}" class="{style}" text-anchor="{anchor}"'
        self.parts.append(f"<text {place}>{escape(text)}</text>")

    def path(self, *points: tuple[int, int], arrow: bool = True, style: str = "wire") -> None:
        """A line through ``points``, with an arrow head at the end."""
        route = "M" + " L".join(f"{x} {y}" for x, y in points)
        head = ' marker-end="url(#arrow)"' if arrow else ""
        self.parts.append(f'<path d="{route}" class="{style}"{head}/>')

    def dot(self, x: int, y: int) -> None:
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" class="dot"/>')

    def svg(self) -> str:
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" font-family="{FONT}">',
                f"<title>{escape(self.title)}</title>",
                "<style>",
                *rules(LIGHT),
                "@media (prefers-color-scheme: dark) {",
                *rules(DARK),
                "}",
                "</style>",
                '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
                'orient="auto"><path d="M0 1 L9 5 L0 9 z" class="dot"/></marker></defs>',
                f'<rect width="{self.width}" height="{self.height}" rx="8" class="page"/>',
                *self.parts,
                "</svg>",
                "",
            ]
        )


def rules(palette: dict[str, str]) -> Iterable[str]:
    """The style sheet of one palette."""
    yield f".page {{ fill: {palette['page']} }}"
    for name in ("block", "kept", "outer", "table"):
        edge = palette["edge" if name == "block" else f"{name}-edge"]
        yield f".{name} {{ fill: {palette[name]}; stroke: {edge}; stroke-width: 1.5 }}"
    yield f".title {{ fill: {palette['ink']}; font-size: 15px; font-weight: 600 }}"
    yield f".note {{ fill: {palette['soft']}; font-size: 12.5px }}"
    yield f".wire {{ fill: none; stroke: {palette['line']}; stroke-width: 1.6 }}"
    yield f".cut {{ fill: none; stroke: {palette['line']}; stroke-width: 1.2; stroke-dasharray: 4 3 }}"
    yield f".dot {{ fill: {palette['line']} }}"


def pipeline() -> str:
    """The mirror path, as hdl/mirror.py puts it together."""
    canvas = Canvas(1160, 440, "The mirror path of the NIC, from frame to copy")
    parser = Box(
        190, 120, 150, 92, "Parser \u00d7 2", ("one per direction;", "match key while the", "frame streams by")
    )
    owner = Box(384, 120, 156, 92, "Owner, eligibility", ("ENI by MAC address;", "services that rules", "never see"))
    classifier = Box(
        584, 120, 156, 92, "Classifier", ("bit vectors in block", "RAM: all rules in one", "lookup per clock")
    )
    session = Box(784, 120, 156, 92, "Session choice", ("first session that", "accepts; otherwise", "the reason"))
    verdict = Box(984, 120, 156, 92, "Verdict", ("one 16-byte record", "for every frame"), "kept")
    registers = Box(
        384,
        24,
        556,
        50,
        "Register file",
        ("tables in two banks: written in the shadow, swapped by one commit",),
        "table",
    )
    counters = Box(984, 24, 156, 50, "Counters", ("rule, session, verdict",), "table")
    flow_hash = Box(384, 252, 156, 44, "Flow hash", ("Toeplitz, symmetric",))
    queue = Box(
        384,
        336,
        356,
        80,
        "Mirror queue \u00d7 2",
        ("written before the verdict is known, cut to length,", "committed or rolled back; no room: congested"),
    )
    encapsulator = Box(784, 336, 156, 80, "Encapsulator", ("Ethernet, IPv4 or", "IPv6, UDP, VXLAN"), "outer")
    for box in (parser, owner, classifier, session, verdict, registers, counters, flow_hash, queue, encapsulator):
        canvas.box(box)

    ingress, egress = parser.middle - 22, parser.middle + 22
    for y, name, way in ((ingress, "network", "ingress"), (egress, "host", "egress")):
        canvas.path((116, y), (parser.x, y))
        canvas.text(108, y - 2, f"from {name}", anchor="end")
        canvas.text(108, y + 13, way, anchor="end")
    for x, y, row in ((158, ingress, queue.middle - 12), (138, egress, queue.middle + 12)):
        canvas.dot(x, y)
        canvas.path((x, y), (x, row), (queue.x, row))
    canvas.text(270, queue.middle - 20, "frame bytes")

    for left, right in ((parser, owner), (owner, classifier), (classifier, session), (session, verdict)):
        canvas.path((left.right, left.middle), (right.x, right.middle))
    canvas.path((parser.centre, parser.bottom), (parser.centre, flow_hash.middle), (flow_hash.x, flow_hash.middle))
    canvas.path((flow_hash.centre, flow_hash.bottom), (flow_hash.centre, queue.y))
    canvas.text(flow_hash.centre + 8, 320, "UDP source port", anchor="start")
    canvas.path(
        (session.centre, session.bottom),
        (session.centre, flow_hash.middle),
        (classifier.centre, flow_hash.middle),
        (classifier.centre, queue.y),
    )
    canvas.text(762, flow_hash.middle - 8, "commit or roll back")
    canvas.path((queue.right, queue.middle), (encapsulator.x, encapsulator.middle))
    canvas.path((encapsulator.right, encapsulator.middle), (1024, encapsulator.middle))
    canvas.text(1032, encapsulator.middle - 2, "copies", anchor="start")
    canvas.text(1032, encapsulator.middle + 13, "to the target", anchor="start")

    for box in (owner, classifier, session):
        canvas.path((box.centre, registers.bottom), (box.centre, box.y))
    canvas.path((verdict.centre, verdict.y), (verdict.centre, counters.bottom))
    canvas.path((counters.x, counters.middle), (registers.right, registers.middle))
    canvas.path((190, registers.middle), (registers.x, registers.middle))
    canvas.text(182, registers.middle + 4, "AXI4-Lite", anchor="end")
    canvas.path((verdict.centre, verdict.bottom), (verdict.centre, 262))
    canvas.text(verdict.centre, 280, "verdict stream")
    return canvas.svg()


@dataclass(frozen=True)
class Field:
    """A run of bytes of a packet; ``end`` labels the ruler where the field ends."""

    name: str
    end: str
    notes: tuple[str, ...]
    width: int
    colour: str = "outer"


def draw_ruler(canvas: Canvas, x: int, y: int, fields: Iterable[Field]) -> None:
    """Fields side by side, over a ruler of byte offsets that starts at 0."""
    offsets = [(x, "0")]
    for part in fields:
        canvas.box(Box(x, y, part.width, 70, part.name, part.notes, part.colour))
        x += part.width
        offsets.append((x, part.end))
    for place, label in offsets:
        canvas.path((place, y + 70), (place, y + 80), arrow=False)
        canvas.text(place, y + 94, label)


def packet() -> str:
    """A frame before and its copies after, in bytes."""
    canvas = Canvas(1020, 456, "A frame and its copy, byte by byte")
    ethernet = Field("Ethernet \u00b7 14", "14", ("to the target's MAC", "from the source's"), 146)
    over_ipv4 = (
        ethernet,
        Field("IPv4 \u00b7 20", "34", ("ID 0, DF clear, TTL 255", "header checksum"), 186),
        Field("UDP \u00b7 8", "42", ("source 0xff80 | hash", "to 4789, checksum 0"), 150),
        Field("VXLAN \u00b7 8", "50", ("flags 08", "VNI, 24 bits"), 106),
        Field("the frame, unchanged", "50 + n", ("its first n bytes",), 302, "kept"),
    )
    over_ipv6 = (
        ethernet,
        Field("IPv6 \u00b7 40", "54", ("flow label 0", "hop limit 255"), 186),
        Field("UDP \u00b7 8", "62", ("source 0xff80 | hash", "to 4789, checksum set"), 150),
        Field("VXLAN \u00b7 8", "70", ("flags 08", "VNI, 24 bits"), 106),
        Field("the frame, unchanged", "70 + n", ("its first n bytes",), 302, "kept"),
    )
    frame = (
        Field("Ethernet \u00b7 14", "14", ("VLAN tags follow",), 130, "kept"),
        Field("IP, data, padding", "n", ("all but the FCS",), 172, "kept"),
        Field("cut", "", ("not copied",), 78, "block"),
    )
    left, start, kept = 24, 612, 302
    canvas.text(start, 26, "a frame on the wire", anchor="start")
    draw_ruler(canvas, start, 38, frame)
    for x in (start, start + kept):
        canvas.path((x, 138), (x, 178), arrow=False, style="cut")
    canvas.text(left, 166, "its copy over IPv4: 50 bytes in front", anchor="start")
    draw_ruler(canvas, left, 178, over_ipv4)
    canvas.text(left, 304, "its copy over IPv6: 70 bytes in front", anchor="start")
    draw_ruler(canvas, left, 316, over_ipv6)
    limits = (
        "n = min(frame, packet length, MTU limit). MTU limit, as in AWS: the inner IP packet is at "
        "most MTU - 54 (IPv4) or MTU - 74 (IPv6)."
    )
    canvas.text(left, 440, limits, anchor="start")
    return canvas.svg()


DIAGRAMS = {"pipeline.svg": pipeline, "packet.svg": packet}
