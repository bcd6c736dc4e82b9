"""Two pictures of docs/explanation/card.md, described here and drawn as SVG: `pipeline.svg`, the NIC, and `packet.svg`.

Each has its own background and a second palette for dark pages, so it can be read on either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
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


LEFT, RIGHT = 116, 1180
"""Where lines begin and end that come into the NIC or leave it."""


def pipeline() -> str:
    """The NIC: production below, as hdl/nic.py has it; above it what sees it, as hdl/mirror.py has it."""
    canvas = Canvas(1264, 640, "The NIC: production passes, and the mirror sees it")
    blocks = _blocks()
    for box in blocks.values():
        canvas.box(box)
    canvas.path((176, 100), (1154, 100), (1154, 434), (176, 434), (176, 100), arrow=False, style="cut")
    canvas.text(190, 451, "the mirror: sees every beat, carries nothing", anchor="start")
    _draw_production(canvas, blocks)
    _draw_judgement(canvas, blocks)
    _draw_copies(canvas, blocks)
    _draw_host(canvas, blocks)
    return canvas.svg()


def _blocks() -> dict[str, Box]:
    looks = 120, 156, 92
    return {
        "bridges": Box(24, 24, 204, 50, "Bridges", ("UART, Etherbone, AXI4-Lite",), "table"),
        "registers": Box(
            384,
            24,
            556,
            50,
            "Register file",
            ("tables in two banks: written in the shadow, swapped by one commit",),
            "table",
        ),
        "counters": Box(984, 24, 216, 50, "Counters, verdict ring", ("by verdict, session, rule, port",), "table"),
        "parser": Box(
            190, 120, 150, 92, "Parser \u00d7 2", ("one per direction;", "match key while the", "frame streams by")
        ),
        "owner": Box(384, *looks, "Owner, eligibility", ("ENI by MAC address;", "services that rules", "never see")),
        "classifier": Box(
            584, *looks, "Classifier", ("bit vectors in block", "RAM: all rules in one", "lookup per clock")
        ),
        "session": Box(784, *looks, "Session choice", ("first session that", "accepts; otherwise", "the reason")),
        "verdict": Box(984, *looks, "Verdict", ("one 16-byte record", "for every frame"), "kept"),
        "flow_hash": Box(384, 252, 156, 44, "Flow hash", ("Toeplitz, symmetric",)),
        "queue": Box(
            384,
            336,
            356,
            80,
            "Mirror queue \u00d7 2",
            ("written before the verdict is known, cut to length,", "committed or rolled back; no room: congested"),
        ),
        "encapsulator": Box(784, 336, 156, 80, "Encapsulator", ("Ethernet, IPv4 or", "IPv6, UDP, VXLAN"), "outer"),
        "egress": Box(784, 478, 156, 68, "Egress arbiter", ("production first,", "copies in its gaps"), "kept"),
        "buffer": Box(784, 572, 156, 44, "Buffer", (), "kept"),
    }


def _draw_production(canvas: Canvas, blocks: dict[str, Box]) -> None:
    """Both ways straight through, each with its tap: to the parser and to the mirror queue."""
    parser, queue = blocks["parser"], blocks["queue"]
    for box, origin, way, goal, tap, parsed, kept in (
        ("egress", "host", "egress", "network", 158, parser.middle + 22, queue.middle + 12),
        ("buffer", "network", "ingress", "host", 138, parser.middle - 22, queue.middle - 12),
    ):
        through = blocks[box]
        canvas.path((LEFT, through.middle), (through.x, through.middle))
        canvas.text(LEFT - 8, through.middle - 2, f"from {origin}", anchor="end")
        canvas.text(LEFT - 8, through.middle + 13, way, anchor="end")
        canvas.path((through.right, through.middle), (RIGHT, through.middle))
        canvas.text(RIGHT + 8, through.middle + 4, f"to {goal}", anchor="start")
        canvas.dot(tap, through.middle)
        canvas.path((tap, through.middle), (tap, parsed), (parser.x, parsed))
        canvas.dot(tap, kept)
        canvas.path((tap, kept), (queue.x, kept))
    canvas.text(
        190, blocks["egress"].middle - 8, "a beat goes on and to the mirror in one clock, or waits", anchor="start"
    )
    canvas.text(270, queue.middle - 20, "frame bytes")


def _draw_judgement(canvas: Canvas, blocks: dict[str, Box]) -> None:
    """From the headers to the verdict, and what follows from it."""
    parser, flow_hash, queue = blocks["parser"], blocks["flow_hash"], blocks["queue"]
    classifier, session, verdict = blocks["classifier"], blocks["session"], blocks["verdict"]
    steps = [blocks[name] for name in ("parser", "owner", "classifier", "session", "verdict")]
    for left, right in pairwise(steps):
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
    canvas.path((verdict.right, verdict.middle), (RIGHT, verdict.middle))
    canvas.text(RIGHT + 8, verdict.middle - 2, "verdict", anchor="start")
    canvas.text(RIGHT + 8, verdict.middle + 13, "stream", anchor="start")


def _draw_copies(canvas: Canvas, blocks: dict[str, Box]) -> None:
    """From the queue to the network port or, in a build that wants it so, to a stream of their own."""
    queue, encapsulator, egress = blocks["queue"], blocks["encapsulator"], blocks["egress"]
    canvas.path((queue.right, queue.middle), (encapsulator.x, encapsulator.middle))
    canvas.path((encapsulator.centre, encapsulator.bottom), (egress.centre, egress.y))
    canvas.text(egress.centre + 8, 462, "copies", anchor="start")
    canvas.path((encapsulator.right, encapsulator.middle), (RIGHT, encapsulator.middle), style="cut")
    canvas.text(948, encapsulator.middle - 8, 'where copies_leave is "own"', anchor="start")
    canvas.text(RIGHT + 8, encapsulator.middle + 4, "copies", anchor="start")


def _draw_host(canvas: Canvas, blocks: dict[str, Box]) -> None:
    """What the host writes, and what it reads."""
    bridges, registers, counters = blocks["bridges"], blocks["registers"], blocks["counters"]
    canvas.path((bridges.right, bridges.middle), (registers.x, registers.middle))
    canvas.text((bridges.right + registers.x) // 2, bridges.middle - 8, "registers")
    canvas.path((counters.x, counters.middle), (registers.right, registers.middle))
    for name in ("owner", "classifier", "session"):
        canvas.path((blocks[name].centre, registers.bottom), (blocks[name].centre, blocks[name].y))
    verdict = blocks["verdict"]
    canvas.path((verdict.centre, verdict.y), (verdict.centre, counters.bottom))


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
