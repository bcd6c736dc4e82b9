"""The faults planted by hand (``halfsilver.sim.mutation.by_hand.planting``): one changed expression of gateware each.

Every fault is of a kind that people write: an end that is off by one, a field that is forgotten, an order that is
turned round. Changes that cannot show at the ports of these builds are not in the list: the egress port has no drop
mark to honour, and a bad frame that is let go by its verdict instead of at its end leaves just as little behind.

A fault is tied to the names it is about, not to a line: its old text is looked for word by word in all of ``hdl/``,
whatever the file, the line breaks and the comments between.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from halfsilver.sim.mutation.by_hand.words import find_words

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """``old`` occurs exactly once in ``hdl/``, or in its class or function ``within``, and becomes ``new``.

    ``breaks`` says what that does. ``build``: the build of ``halfsilver.sim.mutation.regression.BUILDS`` in which the
    fault can show.
    """

    name: str
    old: str
    new: str
    breaks: str
    build: str = "narrow"
    within: str | None = None

    def apply(self, root: Path) -> Path:
        """Plant the fault below ``root``; returns the changed file. ValueError if its place is not there once."""
        found = [
            (path, place)
            for path in sorted((root / "hdl").rglob("*.py"))
            for place in find_words(path.read_text(), self.old, self.within)
        ]
        where = f" in {self.within}" if self.within else ""
        if len(found) != 1:
            raise ValueError(f"{self.name}: {len(found)} times in hdl/{where}, not once: {self.old}")
        path, place = found[0]
        text = path.read_text()
        path.write_text(text[: place.start] + self.new + text[place.stop :])
        return path


FAULTS = (
    # Parser
    Fault("second-vlan-tag", "~view.low.type_is_tag", "1", "only one VLAN tag is skipped"),
    Fault(
        "third-vlan-tag",
        "with m.Elif(view.high.complete): self._go_by_kind(m, view.high.type_kind)",
        "with m.Elif(view.high.complete & ~view.high.type_is_tag): self._go_by_kind(m, view.high.type_kind)",
        "a third VLAN tag is skipped as well",
    ),
    Fault(
        "service-tag",
        "(ethertype == ETHERTYPE_VLAN) | (ethertype == ETHERTYPE_QINQ)",
        "ethertype == ETHERTYPE_VLAN",
        "0x88a8 is not taken for a tag",
    ),
    Fault(
        "one-tag-addresses",
        "self.late.eq(1), self.even_at.eq(1)",
        "self.even_at.eq(1)",
        "behind one VLAN tag the halves of an IP header are taken for one another",
    ),
    Fault(
        "ipv4-options",
        "left.eq(half.octets[0:4] - (1 if late else 2))",
        "left.eq(5 - (1 if late else 2))",
        "IPv4 options are read as ports",
    ),
    Fault(
        "ipv4-fragment-offset",
        "fragment_behind.eq(uneven.offset_v4)",
        "fragment_behind.eq(0)",
        "later fragments have ports",
    ),
    Fault(
        "ipv4-offset-high-bits",
        "octets[16:21].any() | octets[24:32].any()",
        "octets[24:32].any()",
        "the high bits of the fragment offset are ignored",
    ),
    Fault(
        "more-fragments",
        "facts.fragment.eq(uneven.more_fragments | uneven.offset_v4)",
        "facts.fragment.eq(uneven.offset_v4)",
        "the first fragment is not one, so its ports are hashed",
    ),
    Fault(
        "atomic-fragment",
        "with m.If(opening.fragment_v6):",
        "with m.If(1):",
        "an atomic fragment is treated as a fragment",
    ),
    Fault(
        "ah-length-unit",
        "behind.eq(length + self.place)",
        "behind.eq((length << 1) + self.place)",
        "the length of AH is taken in units of eight bytes",
    ),
    Fault(
        "extension-length",
        "views.eq(length), self.here.eq(opening.no_length)",
        "views.eq(length + 1), self.here.eq(0)",
        "extension headers are skipped eight bytes too far",
    ),
    Fault(
        "extension-bound",
        "headers_read == self._extension_headers - 1",
        "headers_read == self._extension_headers",
        "one extension header too many is read",
    ),
    Fault(
        "echo-identifier",
        "headers.echo, Cat(ahead[8:16], ahead[0:8])",
        "headers.echo, 0",
        "the echo identifier is not hashed",
        build="uneven",
    ),
    Fault(
        "cut-off-header",
        "complete.eq(words.p.count >= start + _HALF_BYTES - _AHEAD_BYTES)",
        "complete.eq(words.p.count >= start + _HALF_BYTES - _AHEAD_BYTES - 1)",
        "four bytes of which one is missing count as present",
    ),
    Fault(
        "lane-order",
        "self._order.i.p.lane.eq(turn)",
        "self._order.i.p.lane.eq(0)",
        "answers are always taken from the same of several parsers",
        build="turns",
    ),
    Fault(
        "leap-too-far",
        "spare.eq(self.views - 1)",
        "spare.eq(self.views + 1)",
        "of a long extension header more words are left out than it has",
        build="turns",
    ),
    # Owner, eligibility
    Fault("tap-ignored", "(tap | self.i_group) & eni_0", "self.i_group & eni_0", "tap mode does nothing"),
    Fault("multicast-owner", "(tap | self.i_group) & eni_0", "tap & eni_0", "multicast does not belong to interface 0"),
    Fault(
        "mac-piece", "pieces.all() & used", "pieces[1:].all() & used", "the first two bytes of a MAC are not compared"
    ),
    Fault(
        "service-order",
        "(dhcp, ServiceCode.DHCP)",
        "(dhcp & ~metadata, ServiceCode.DHCP)",
        "of two services that fit, the wrong one is named",
    ),
    Fault(
        "metadata-ipv6",
        "METADATA = (254, 0x0254)",
        "METADATA = (254, 0x00fe)",
        "the IPv6 address of instance metadata is wrong",
    ),
    Fault(
        "resolver-ignored",
        "has_resolver & dns_port &",
        "0 & dns_port &",
        "DNS of the VPC's own resolver goes through the rules",
    ),
    Fault(
        "dns-over-tcp", "dns.eq((tcp | udp) & dns_port", "dns.eq(udp & dns_port", "DNS over TCP goes through the rules"
    ),
    # Matcher, classifier
    Fault(
        "longest-frame", "self.i.length > MAX_FRAME", "self.i.length >= MAX_FRAME", "a frame of 9,216 bytes is refused"
    ),
    Fault("bad-ignored", "headers.malformed | self.i.bad |", "headers.malformed |", "the MAC's bad mark is ignored"),
    Fault(
        "drop-ignored",
        "early.dropped.eq(self.i.drop &",
        "early.dropped.eq(0 &",
        "the security group's drop mark is ignored",
    ),
    Fault(
        "fragment-hash",
        "hashed = headers.has_ports & ~headers.fragment",
        "hashed = headers.has_ports",
        "the ports of a first fragment are hashed",
    ),
    Fault(
        "port-base-and",
        "port.base | (spread & port.mask)",
        "port.base & (spread | port.mask)",
        "base and mask of the outer source port are mixed up",
    ),
    Fault(
        "prefix-bit",
        "value[start : start + bits]",
        "value[start : start + bits - 1]",
        "one bit of every chunk of an address is not compared",
    ),
    Fault(
        "digit-order",
        "pieces[layout.digit_shift(digit) // bits]",
        "pieces[digit]",
        "digits of a port are compared last first",
    ),
    Fault(
        "port-bound-end",
        "results.append(inside_all | tied_all)",
        "results.append(inside_all)",
        "a port equal to an end of the range is outside",
    ),
    Fault(
        "port-bound-digit",
        "inside_all.eq(inside_all | (tied_all & inside))",
        "inside_all.eq(inside_all | inside)",
        "a lower digit decides although a higher one did not tie",
    ),
    Fault(
        "port-bound-lane",
        "inside | (tied & words[",
        "inside | (words[",
        "the same between the digits of one clock",
        build="wide",
    ),
    Fault(
        "port-choice",
        "key[bound.port]",
        "key[bound.port if bound.low else BOUNDS[-1].port]",
        "the high bound of the source port looks at the destination port",
    ),
    Fault(
        "chunks-forgotten",
        "Mux(first_a, ~Const(0, layout.rule_slots), all_ternary)",
        "~Const(0, layout.rule_slots)",
        "only the last clock's chunks of the key count",
    ),
    Fault(
        "actions-early",
        "delay(m, accepts, self.latency - self._words_at, ",
        "delay(m, accepts, self.latency - self._words_at - 1, ",
        "accept or reject is that of the next frame's rules",
        build="wide",
    ),
    # Session choice
    Fault(
        "rule-priority",
        "first.eq(hits & ~(hits - 1)[:rules])",
        "first.eq((hits[::-1] & ~(hits[::-1] - 1)[:rules])[::-1])",
        "the last matching rule decides",
    ),
    Fault(
        "session-priority",
        "claim & ~(claim - 1)[: len(claim)]",
        "(claim[::-1] & ~(claim[::-1] - 1)[:len(claim)])[::-1]",
        "the last accepting session claims",
    ),
    Fault("terminal-reject", "stopped = stopped | (terminal & refuse[s])", "stopped = 0", "a reject is never final"),
    Fault(
        "dns-by-rules",
        "accepts[s] & ~is_dns & ~stopped",
        "accepts[s] & ~stopped",
        "Amazon DNS is judged by the rules as well",
    ),
    Fault(
        "target-down",
        "Mux(~up, VerdictCode.TARGET_DOWN",
        "Mux(0, VerdictCode.TARGET_DOWN",
        "copies go to a target that is down",
    ),
    Fault(
        "floor-family",
        "Mux(facts.ipv6, word.limit_ipv6, word.limit_ipv4)",
        "word.limit_ipv4",
        "IPv6 frames are cut at the floor of IPv4",
    ),
    Fault(
        "length-compare",
        "copies & (facts.length > limit)",
        "copies",
        "a frame shorter than the limit is copied beyond its end",
    ),
    Fault(
        "truncation",
        "(facts.length > limit), limit, facts.length",
        "(facts.length > limit), limit - 1, facts.length",
        "a cut copy is one byte short",
    ),
    Fault(
        "congestion-hidden",
        "Mux(facts.fits, VerdictCode.MIRRORED, VerdictCode.CONGESTED)",
        "VerdictCode.MIRRORED",
        "congestion is not reported",
    ),
    # Intake, mirror queue
    Fault(
        "length-wraps", "Mux(longer[16], _LONGEST, longer)", "longer", "the length of a frame beyond 65,535 bytes wraps"
    ),
    Fault(
        "roll-back",
        "with m.If(~store | (beat.last & ~keep)):",
        "with m.If(0):",
        "a frame that did not fit is not rolled back",
    ),
    Fault(
        "descriptor-leak",
        "reserved + kept - (decided.let_go + fetch.done)",
        "reserved + kept - fetch.done",
        "frames that are let go never give their place back",
    ),
    Fault("queue-full", "used >= self.depth - _FULL_MARGIN", "used >= 2 * self.depth", "a full queue is written on"),
    Fault(
        "tail-early",
        "tail.eq(fetch.taken_start)",
        "tail.eq(decided_end)",
        "the place of a copy is free before it has been read",
    ),
    Fault(
        "read-ahead",
        "ahead.level <= _READ_AHEAD - _READ_ROOM_CLOCKS",
        "ahead.level <= _READ_AHEAD",
        "beats are lost when the receiver pauses",
    ),
    Fault(
        "beats-of-copy",
        "((wanted - 1) >> byte_bits)",
        "(wanted >> byte_bits)",
        "a copy of whole beats gets one beat too many",
    ),
    Fault(
        "last-beat-count",
        "end_count.eq((wanted - 1)[:byte_bits] + 1)",
        "end_count.eq(wanted[:byte_bits])",
        "a full last beat counts as empty",
    ),
    # Encapsulator
    Fault("odd-byte", "self.count > lane", "self.count >= lane", "a byte behind the end is added to the checksum"),
    Fault(
        "end-around-carry",
        "(total[:16] + word + total[16])",
        "(total[:16] + word)",
        "carries are not added back to the checksum",
    ),
    Fault(
        "ipv4-total-length",
        "job.length + IPV4_BYTES + UDP_VXLAN_BYTES",
        "job.length + IPV4_BYTES + 8",
        "the IPv4 total length forgets the VXLAN header",
    ),
    Fault("udp-length-twice", "udp_length << 1", "udp_length", "the pseudo header's length is not in the checksum"),
    Fault("zero-checksum", "Mux(keep_ones, total, ~total)", "~total", "an IPv6 UDP checksum of 0 is sent as 0"),
    Fault(
        "vni-byte-order",
        "_network(template.vni[:VNI_BITS], VNI_BITS // 8)",
        "template.vni[:VNI_BITS]",
        "the VNI's bytes are reversed",
    ),
    Fault(
        "outer-macs",
        "return Cat(template.destination_mac, template.source_mac,",
        "return Cat(template.source_mac, template.destination_mac,",
        "outer source and destination MAC are swapped",
    ),
    Fault(
        "last-beat-lost",
        "ending.spills.eq(spills)",
        "ending.spills.eq(0)",
        "the last beat of a copy is lost where it does not fit",
    ),
    Fault(
        "copy-end-count",
        "stages.stage(end[:bits] + 1)",
        "stages.stage(end[:bits])",
        "the copy's last beat is one byte short",
    ),
    Fault(
        "hash-window",
        "if self._key[bit + row]]) for row in range(PERIOD)",
        "if self._key[bit + row + 1]]) for row in range(PERIOD)",
        "the key's window is one bit off",
    ),
    # Records, counters, banks
    Fault(
        "generation-stale",
        "record.generation.eq(of_bank(judgement.bank,",
        "record.generation.eq(of_bank(banks.active,",
        "the record carries the newest generation, not its judge's",
    ),
    Fault(
        "sequence-shared",
        "Array(sequences)[judgement.direction]",
        "Array(sequences)[0]",
        "both directions count in one sequence",
    ),
    Fault(
        "copied-always",
        "record.copied.eq(Mux(judgement.mirrored, judgement.octets, 0))",
        "record.copied.eq(judgement.octets)",
        "a frame that is not mirrored has copied bytes",
    ),
    Fault(
        "counter-bytes",
        "octets.eq(judgement.octets)",
        "octets.eq(judgement.length)",
        "counters add the frame's bytes, not the copy's",
    ),
    Fault(
        "template-bank",
        "Cat(template, judgement.bank)",
        "Cat(template, banks.active)",
        "around a commit a copy is addressed by the other rule set",
    ),
    Fault(
        "write-while-busy",
        "write.enable.eq(strobe & ~closed)",
        "write.enable.eq(strobe)",
        "the host can overwrite tables that copies still need",
    ),
    Fault(
        "let-go-twice",
        "banks.let_go[number].eq(valid & ~decision.mirror)",
        "banks.let_go[number].eq(valid)",
        "a bank counts as unused while its copies wait",
    ),
    Fault(
        "no-swap", "self.active.eq(~self.active)", "self.active.eq(self.active)", "a commit does not change the bank"
    ),
    Fault(
        "never-busy",
        "of_bank(~self.active, busy) | coming.any()",
        "coming.any()",
        "the shadow tables never count as busy",
    ),
    Fault(
        "session-counter",
        "CounterGroupCode.SESSION: (due & (record.session != NONE),",
        "CounterGroupCode.SESSION: (record.session != NONE,",
        "a session's counter counts rejects",
    ),
    Fault(
        "counter-join",
        "stages[number].frames + joined",
        "stages[number].frames",
        "of two records close together one is not counted",
    ),
    Fault(
        "copy-order",
        "order.w_data.eq(chosen)",
        "order.w_data.eq(favoured)",
        "a copy gets the bytes of the other direction's",
    ),
    # Production
    Fault(
        "interleaved",
        "begun.eq(~(self.o.ready & self.o.p.last))",
        "begun.eq(0)",
        "a copy gives way in the middle when production comes",
    ),
    Fault(
        "passes-unseen",
        "watched.valid.eq(port.valid & passage.ready)",
        "watched.valid.eq(port.valid)",
        "the mirror sees a beat once more when its receiver does not take it",
    ),
    Fault(
        "lost-mark",
        "axi.tuser.eq(Cat(bad, self.mark) if",
        "axi.tuser.eq(Cat(0, self.mark) if",
        "bad frames pass as good",
    ),
    Fault(
        "overwritten",
        "self.i.ready.eq(~spare_used)",
        "self.i.ready.eq(1)",
        "a beat is lost when the receiver is not ready",
    ),
    Fault(
        "copy-pauses",
        "ahead.level <= _READ_AHEAD - _READ_ROOM_CLOCKS",
        "ahead.level <= 2",
        "a copy pauses where the receiver did",
    ),
)
"""In the order of the pipeline."""
