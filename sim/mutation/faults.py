"""The planted faults of ``halfsilver.sim.mutation.mutants``: one changed line of gateware each.

Every fault is of a kind that people write: an end that is off by one, a field that is forgotten, an order that is
turned round. Changes that cannot show at the ports of these builds are not in the list: the egress port has no drop
mark to honour, a bad frame that is let go by its verdict instead of at its end leaves just as little behind, and at 32
and 64 bits the parsers' buffers fill before too many frames wait for a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True, slots=True)
class Fault:
    """``old`` occurs exactly once in ``file`` (below ``hdl/``) and is replaced by ``new``; ``breaks`` in words.

    ``build``: the build of ``halfsilver.sim.mutation.regression.BUILDS`` in which the fault can show.
    """

    name: str
    file: str
    old: str
    new: str
    breaks: str
    build: str = "narrow"

    def apply(self, root: Path) -> None:
        """Plant the fault below ``root``; ValueError if the old text is not there exactly once."""
        path = root / "hdl" / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {text.count(self.old)} times in hdl/{self.file}, not once: {self.old}")
        path.write_text(text.replace(self.old, self.new))


FAULTS = (
    # Parser
    Fault(
        "second-vlan-tag",
        "parser/walk.py",
        "type_is_tag & (tags != 2)",
        "type_is_tag & (tags != 1)",
        "only one VLAN tag is skipped",
    ),
    Fault(
        "third-vlan-tag",
        "parser/walk.py",
        "type_is_tag & (tags != 2)",
        "type_is_tag & (tags != 3)",
        "a third VLAN tag is skipped as well",
    ),
    Fault(
        "service-tag",
        "parser/view.py",
        "(ethertype == ETHERTYPE_VLAN) | (ethertype == ETHERTYPE_QINQ)",
        "ethertype == ETHERTYPE_VLAN",
        "0x88a8 is not taken for a tag",
    ),
    Fault(
        "egress-owner-tagged",
        "parser/walk.py",
        "field.first_type.eq(tags == 0)",
        "field.first_type.eq(1)",
        "a VLAN tag overwrites the end of the source address",
    ),
    Fault(
        "ipv4-options", "parser/walk.py", "with m.If(options != 0):", "with m.If(0):", "IPv4 options are read as ports"
    ),
    Fault(
        "ipv4-fragment-offset",
        "parser/walk.py",
        "fragment_behind.eq(view.offset_v4)",
        "fragment_behind.eq(0)",
        "later fragments have ports",
    ),
    Fault(
        "ipv4-offset-high-bits",
        "parser/view.py",
        "aligned[16:21].any() | aligned[24:32].any()",
        "aligned[24:32].any()",
        "the high bits of the fragment offset are ignored",
    ),
    Fault(
        "more-fragments",
        "parser/walk.py",
        "facts.fragment.eq(view.more_fragments | view.offset_v4)",
        "facts.fragment.eq(view.offset_v4)",
        "the first fragment is not one, so its ports are hashed",
    ),
    Fault(
        "atomic-fragment",
        "parser/walk.py",
        "with m.If(view.fragment_v6):",
        "with m.If(1):",
        "an atomic fragment is treated as a fragment",
    ),
    Fault(
        "ah-length-unit",
        "parser/walk.py",
        "skip.eq(length + 1)",
        "skip.eq(Cat(1, length))",
        "the length of AH is taken in units of eight bytes",
    ),
    Fault(
        "extension-length",
        "parser/walk.py",
        "skip.eq(Cat(1, length))",
        "skip.eq(Cat(0, length) + 2)",
        "extension headers are skipped one word too far",
    ),
    Fault(
        "extension-bound",
        "parser/walk.py",
        "headers_read == self._extension_headers - 1",
        "headers_read == self._extension_headers",
        "one extension header too many is read",
    ),
    Fault(
        "echo-identifier",
        "parser/word_parser.py",
        "headers.echo, Cat(ahead[8:16], ahead[0:8])",
        "headers.echo, 0",
        "the echo identifier is not hashed",
        build="uneven",
    ),
    Fault(
        "cut-off-header",
        "parser/view.py",
        "complete.eq(words.p.count >= 2)",
        "complete.eq(words.p.count >= 1)",
        "a word of which a byte is missing counts as present",
    ),
    Fault(
        "lane-deal",
        "parser/bank.py",
        "due.eq(due + 1)",
        "due.eq(due)",
        "answers are always taken from the same of several parsers",
        build="wide",
    ),
    # Owner, eligibility
    Fault(
        "tap-ignored", "match/owner.py", "(tap | self.i_group) & eni_0", "self.i_group & eni_0", "tap mode does nothing"
    ),
    Fault(
        "multicast-owner",
        "match/owner.py",
        "(tap | self.i_group) & eni_0",
        "tap & eni_0",
        "multicast does not belong to interface 0",
    ),
    Fault(
        "mac-piece",
        "match/owner.py",
        "pieces.all() & used",
        "pieces[1:].all() & used",
        "the first two bytes of a MAC are not compared",
    ),
    Fault(
        "service-order",
        "match/eligibility.py",
        "(dhcp, ServiceCode.DHCP)",
        "(dhcp & ~metadata, ServiceCode.DHCP)",
        "of two services that fit, the wrong one is named",
    ),
    Fault(
        "metadata-ipv6",
        "match/eligibility.py",
        "METADATA = (254, 0x0254)",
        "METADATA = (254, 0x00fe)",
        "the IPv6 address of instance metadata is wrong",
    ),
    Fault(
        "resolver-ignored",
        "match/eligibility.py",
        "has_resolver & dns_port &",
        "0 & dns_port &",
        "DNS of the VPC's own resolver goes through the rules",
    ),
    Fault(
        "dns-over-tcp",
        "match/eligibility.py",
        "dns.eq((tcp | udp) & dns_port",
        "dns.eq(udp & dns_port",
        "DNS over TCP goes through the rules",
    ),
    # Matcher, classifier
    Fault(
        "longest-frame",
        "match/matcher.py",
        "self.i.length > MAX_FRAME",
        "self.i.length >= MAX_FRAME",
        "a frame of 9,216 bytes is refused",
    ),
    Fault(
        "bad-ignored",
        "match/matcher.py",
        "headers.malformed | self.i.bad |",
        "headers.malformed |",
        "the MAC's bad mark is ignored",
    ),
    Fault(
        "drop-ignored",
        "match/matcher.py",
        "early.dropped.eq(self.i.drop &",
        "early.dropped.eq(0 &",
        "the security group's drop mark is ignored",
    ),
    Fault(
        "fragment-hash",
        "match/matcher.py",
        "hashed = headers.has_ports & ~headers.fragment",
        "hashed = headers.has_ports",
        "the ports of a first fragment are hashed",
    ),
    Fault(
        "port-base-and",
        "match/matcher.py",
        "port.base | (spread & port.mask)",
        "port.base & (spread | port.mask)",
        "base and mask of the outer source port are mixed up",
    ),
    Fault(
        "prefix-bit",
        "match/classifier.py",
        "value[start : start + bits]",
        "value[start : start + bits - 1]",
        "one bit of every chunk of an address is not compared",
    ),
    Fault(
        "digit-order",
        "match/classifier.py",
        "pieces[layout.digit_shift(digit) // bits]",
        "pieces[digit]",
        "digits of a port are compared last first",
    ),
    Fault(
        "port-bound-end",
        "match/classifier.py",
        "results.append(inside_all | tied_all)",
        "results.append(inside_all)",
        "a port equal to an end of the range is outside",
    ),
    Fault(
        "port-bound-digit",
        "match/classifier.py",
        "inside_all.eq(inside_all | (tied_all & inside))",
        "inside_all.eq(inside_all | inside)",
        "a lower digit decides although a higher one did not tie",
    ),
    Fault(
        "port-bound-lane",
        "match/classifier.py",
        "inside | (tied & words[",
        "inside | (words[",
        "the same between the digits of one clock",
        build="wide",
    ),
    Fault(
        "port-choice",
        "match/classifier.py",
        "key[bound.port]",
        "key[bound.port if bound.low else BOUNDS[-1].port]",
        "the high bound of the source port looks at the destination port",
    ),
    Fault(
        "chunks-forgotten",
        "match/classifier.py",
        "Mux(first_a, ~Const(0, layout.rule_slots), all_ternary)",
        "~Const(0, layout.rule_slots)",
        "only the last clock's chunks of the key count",
    ),
    Fault(
        "actions-early",
        "match/classifier.py",
        "delay(m, accepts, self.latency - self._words_at, ",
        "delay(m, accepts, self.latency - self._words_at - 1, ",
        "accept or reject is that of the next frame's rules",
        build="wide",
    ),
    # Session choice
    Fault(
        "rule-priority",
        "match/session.py",
        "first.eq(hits & ~(hits - 1)[:rules])",
        "first.eq((hits[::-1] & ~(hits[::-1] - 1)[:rules])[::-1])",
        "the last matching rule decides",
    ),
    Fault(
        "session-priority",
        "match/session.py",
        "claim & ~(claim - 1)[: len(claim)]",
        "(claim[::-1] & ~(claim[::-1] - 1)[:len(claim)])[::-1]",
        "the last accepting session claims",
    ),
    Fault(
        "terminal-reject",
        "match/session.py",
        "stopped = stopped | (terminal & refuse[s])",
        "stopped = 0",
        "a reject is never final",
    ),
    Fault(
        "dns-by-rules",
        "match/session.py",
        "accepts[s] & ~is_dns & ~stopped",
        "accepts[s] & ~stopped",
        "Amazon DNS is judged by the rules as well",
    ),
    Fault(
        "target-down",
        "match/session.py",
        "Mux(~up, VerdictCode.TARGET_DOWN",
        "Mux(0, VerdictCode.TARGET_DOWN",
        "copies go to a target that is down",
    ),
    Fault(
        "floor-family",
        "match/session.py",
        "Mux(facts.ipv6, word.limit_ipv6, word.limit_ipv4)",
        "word.limit_ipv4",
        "IPv6 frames are cut at the floor of IPv4",
    ),
    Fault(
        "length-compare",
        "match/session.py",
        "copies & (facts.length > limit)",
        "copies",
        "a frame shorter than the limit is copied beyond its end",
    ),
    Fault(
        "truncation",
        "match/session.py",
        "(facts.length > limit), limit, facts.length",
        "(facts.length > limit), limit - 1, facts.length",
        "a cut copy is one byte short",
    ),
    Fault(
        "congestion-hidden",
        "match/session.py",
        "Mux(facts.fits, VerdictCode.MIRRORED, VerdictCode.CONGESTED)",
        "VerdictCode.MIRRORED",
        "congestion is not reported",
    ),
    # Intake, mirror queue
    Fault(
        "length-wraps",
        "intake.py",
        "Mux(longer[16], _LONGEST, longer)",
        "longer",
        "the length of a frame beyond 65,535 bytes wraps",
    ),
    Fault(
        "roll-back",
        "mirror_queue.py",
        "with m.If(~store | (beat.last & ~keep)):",
        "with m.If(0):",
        "a frame that did not fit is not rolled back",
    ),
    Fault(
        "descriptor-leak",
        "mirror_queue.py",
        "reserved + kept - decided.let_go - fetch.done",
        "reserved + kept - fetch.done",
        "frames that are let go never give their place back",
    ),
    Fault(
        "queue-full",
        "mirror_queue.py",
        "used >= self.depth - _FULL_MARGIN",
        "used >= 2 * self.depth",
        "a full queue is written on",
    ),
    Fault(
        "tail-early",
        "mirror_queue.py",
        "tail.eq(fetch.taken_start)",
        "tail.eq(decided_end)",
        "the place of a copy is free before it has been read",
    ),
    Fault(
        "read-ahead",
        "mirror_queue.py",
        "ahead.level <= _READ_AHEAD - _READ_ROOM_CLOCKS",
        "ahead.level <= _READ_AHEAD",
        "beats are lost when the receiver pauses",
    ),
    Fault(
        "beats-of-copy",
        "mirror_queue.py",
        "((wanted - 1) >> byte_bits)",
        "(wanted >> byte_bits)",
        "a copy of whole beats gets one beat too many",
    ),
    Fault(
        "last-beat-count",
        "mirror_queue.py",
        "end_count.eq((wanted - 1)[:byte_bits] + 1)",
        "end_count.eq(wanted[:byte_bits])",
        "a full last beat counts as empty",
    ),
    # Encapsulator
    Fault(
        "odd-byte",
        "checksum.py",
        "self.count > lane",
        "self.count >= lane",
        "a byte behind the end is added to the checksum",
    ),
    Fault(
        "end-around-carry",
        "checksum.py",
        "(total[:16] + word + total[16])",
        "(total[:16] + word)",
        "carries are not added back to the checksum",
    ),
    Fault(
        "ipv4-total-length",
        "encapsulator/outer_header.py",
        "job.length + IPV4_BYTES + UDP_VXLAN_BYTES",
        "job.length + IPV4_BYTES + 8",
        "the IPv4 total length forgets the VXLAN header",
    ),
    Fault(
        "udp-length-twice",
        "encapsulator/outer_header.py",
        "udp_length << 1",
        "udp_length",
        "the pseudo header's length is not in the checksum",
    ),
    Fault(
        "zero-checksum",
        "encapsulator/outer_header.py",
        "Mux(keep_ones, total, ~total)",
        "~total",
        "an IPv6 UDP checksum of 0 is sent as 0",
    ),
    Fault(
        "vni-byte-order",
        "encapsulator/prefix.py",
        "_network(template.vni[:VNI_BITS], VNI_BITS // 8)",
        "template.vni[:VNI_BITS]",
        "the VNI's bytes are reversed",
    ),
    Fault(
        "outer-macs",
        "encapsulator/prefix.py",
        "return Cat(template.destination_mac, template.source_mac,",
        "return Cat(template.source_mac, template.destination_mac,",
        "outer source and destination MAC are swapped",
    ),
    Fault(
        "last-beat-lost",
        "encapsulator/outer_header.py",
        "ending.spills.eq(spills)",
        "ending.spills.eq(0)",
        "the last beat of a copy is lost where it does not fit",
    ),
    Fault(
        "copy-end-count",
        "encapsulator/outer_header.py",
        "stages.stage(end[:bits] + 1)",
        "stages.stage(end[:bits])",
        "the copy's last beat is one byte short",
    ),
    Fault(
        "hash-window",
        "match/flow_hash.py",
        "if self._key[bit + row]]) for row in range(PERIOD)",
        "if self._key[bit + row + 1]]) for row in range(PERIOD)",
        "the key's window is one bit off",
    ),
    # Records, counters, banks
    Fault(
        "generation-stale",
        "nic.py",
        "record.generation.eq(of_bank(judgement.bank,",
        "record.generation.eq(of_bank(banks.active,",
        "the record carries the newest generation, not its judge's",
    ),
    Fault(
        "sequence-shared",
        "nic.py",
        "sequence = sequences[judgement.direction]",
        "sequence = sequences[0]",
        "both directions count in one sequence",
    ),
    Fault(
        "copied-always",
        "nic.py",
        "record.copied.eq(Mux(judgement.mirrored, judgement.octets, 0))",
        "record.copied.eq(judgement.octets)",
        "a frame that is not mirrored has copied bytes",
    ),
    Fault(
        "counter-bytes",
        "nic.py",
        "octets.eq(judgement.octets)",
        "octets.eq(judgement.length)",
        "counters add the frame's bytes, not the copy's",
    ),
    Fault(
        "template-bank",
        "nic.py",
        "Cat(slot, judgement.bank)",
        "Cat(slot, banks.active)",
        "around a commit a copy is addressed by the other rule set",
    ),
    Fault(
        "write-while-busy",
        "nic.py",
        "write.enable.eq(strobe & ~banks.shadow_busy)",
        "write.enable.eq(strobe)",
        "the host can overwrite tables that copies still need",
    ),
    Fault(
        "let-go-twice",
        "nic.py",
        "banks.let_go.eq(valid & ~decision.mirror)",
        "banks.let_go.eq(valid)",
        "a bank counts as unused while its copies wait",
    ),
    Fault(
        "no-swap",
        "banks.py",
        "self.active.eq(~self.active)",
        "self.active.eq(self.active)",
        "a commit does not change the bank",
    ),
    Fault(
        "never-busy",
        "banks.py",
        "of_bank(~self.active, busy) | coming.any()",
        "coming.any()",
        "the shadow tables never count as busy",
    ),
    Fault(
        "session-counter",
        "counters.py",
        "CounterGroupCode.SESSION: self.i.valid & mirrored",
        "CounterGroupCode.SESSION: self.i.valid & (record.session != NONE)",
        "a session's counter counts rejects",
    ),
    Fault(
        "counter-join",
        "counters.py",
        "stages[number].frames + joined",
        "stages[number].frames",
        "of two records close together one is not counted",
    ),
    Fault(
        "copy-order",
        "copy_arbiter.py",
        "order.w_data.eq(chosen)",
        "order.w_data.eq(favoured)",
        "a copy gets the bytes of the other direction's",
    ),
)
"""In the order of the pipeline."""
