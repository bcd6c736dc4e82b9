"""The tables as a page for whoever writes a driver of his own: docs/tables.md is made from here."""

from collections.abc import Iterable

from halfsilver.hdl.layout.assigned_numbers import PROTOCOL_UDP
from halfsilver.hdl.layout.counters import COUNTED, COUNTER_BITS, CounterGroupCode, PortCode, counter_index
from halfsilver.hdl.layout.frames import FLOOR_IPV4, FLOOR_IPV6, MAX_FRAME
from halfsilver.hdl.layout.lookup import BOUNDS, KEY_CLASS, PORT_BITS, TERNARY_KEY, LookupLayout
from halfsilver.hdl.layout.outer import (
    HOP_LIMIT,
    TEMPLATE_BODY,
    TEMPLATE_SEED,
    TEMPLATE_SEED_WORD,
    VERSION_IHL,
    VXLAN_FLAGS,
    VXLAN_PORT,
    template_index,
)
from halfsilver.hdl.layout.packed import Packed
from halfsilver.hdl.layout.parameters import NicShape
from halfsilver.hdl.layout.register_map import WORD_BITS
from halfsilver.hdl.layout.tables import (
    ENI_GUARD,
    ENI_HIGH,
    ENI_LOW,
    ENI_RESOLVER,
    GENERAL_FLAGS,
    GENERAL_FLAGS_AT,
    GENERAL_SOURCE_PORT_AT,
    SESSION_WORD,
    SLOT_AT,
    SLOTS,
    SOURCE_PORT,
    SPREAD_AT,
    SPREAD_WORD,
    TABLE_PLACE,
    Table,
    eni_words_at,
    session_index,
    spread_index,
)
from halfsilver.hdl.layout.verdict import VERDICT_RECORD

__all__ = ["render_tables"]

_SHAPES = (
    NicShape(enis=1),
    NicShape(enis=4),
    NicShape(enis=4, lookup_clocks=4),
    NicShape(enis=16),
    NicShape(enis=16, lookup_clocks=4),
    NicShape(enis=1, rules=40),
    NicShape(enis=4, rules=20),
    NicShape(width=512, enis=1),
    NicShape(width=512, enis=4),
)
"""Builds whose numbers are shown."""


def render_tables() -> str:
    """The page, Markdown."""
    parts = [_loading(), _general(), _sessions(), _outer(), _lookup(), _counters(), _verdicts()]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _loading() -> list[str]:
    return [
        "# Tables of the card",
        "",
        "With this page and the register map (`halfsilver regs`) a driver can be written from nothing; `halfsilver "
        "image -c mirror.json` prints what ours would write. The page is made from `hdl/layout` by `make docs`.",
        "",
        "To load a policy:",
        "",
        "1. Read ID, and VERSION: the major number must be known. Read SHAPE and RULES: `enis`, `sessions`, `rules`, "
        "`chunk_bits`, `lookup_clocks`, `matchers`.",
        "2. Read STATUS until `shadow_busy` is 0.",
        "3. Write the CRC of all words, in the order of step 4, to EXPECTED_CRC, and 1 to TABLE_CHECK. Both are needed "
        "only where a write can be lost, as on a serial line; on a bus leave them out.",
        "4. Write TABLE_ADDRESS (table, index), then TABLE_DATA for that word and each following one.",
        "5. REFUSED_WRITES must be what it was before; TABLE_CRC and TABLE_COUNT must be those of the words.",
        "6. Write 1 to COMMIT. `generation` in STATUS is then one more. If not, write it again: with TABLE_CHECK a "
        "commit is made once, however often it is asked for.",
        "",
        "The CRC is that of IEEE 802.3 (`zlib.crc32`), over eight bytes per word, lowest byte first: its place, which "
        f"is {TABLE_PLACE.formula()}, and the word itself. Of no words it is 0.",
        "",
        "Every table has two banks. Writes go to the one that does not judge frames; a commit swaps them. So the "
        "shadow bank holds the last policy but one: write every word again, or remember what it holds. After power-up "
        "all words are 0; a reset clears only the general table's.",
        "",
        "Places count from 0: an ENI's in the order the driver chooses, a session's in ascending session number of its "
        "ENI, a rule's in ascending rule number of its filter and direction. `ENIs` is `enis` rounded up to a power of "
        "two. All words have 32 bits; bits not named are 0. MAC and IP addresses have the byte that is first on the "
        "wire in their lowest bits.",
    ]


def _general() -> list[str]:
    return [
        f"## Table {Table.GENERAL.value}: general",
        *_fields(f"Word {GENERAL_FLAGS_AT}: {GENERAL_FLAGS.name}", GENERAL_FLAGS),
        *_fields(f"Word {GENERAL_SOURCE_PORT_AT}: {SOURCE_PORT.name}", SOURCE_PORT),
        "",
        f"ENI `e` has three words from {eni_words_at(0)} + {eni_words_at(1) - eni_words_at(0)}*`e`, and a fourth in a "
        "build with security_groups; all 0: no ENI.",
        *_fields("ENI word + 0", ENI_LOW),
        *_fields("ENI word + 1", ENI_HIGH),
        *_fields("ENI word + 2", ENI_RESOLVER),
        *_fields("ENI word + 3", ENI_GUARD),
        "",
        ENI_GUARD.description,
    ]


def _sessions() -> list[str]:
    return [
        f"## Table {Table.SESSIONS.value}: sessions",
        "",
        f"Index: `{session_index(0).formula(eni='ENIs')}`. {SESSION_WORD.description}",
        *_fields("Session word", SESSION_WORD),
        "",
        f"A limit is the session's packet length, but not less than {FLOOR_IPV4} (IPv4) or {FLOOR_IPV6} (IPv6), and "
        f"not more than the MTU limit of the target; without either {MAX_FRAME}, the longest frame.",
        "",
        "A build with more than one of `receivers` (in RECEIVERS) has spread words, too: "
        f"{SLOTS} slots for each session. A copy goes to the receiver that has the slot of its flow, bits "
        f"{SLOT_AT + (SLOTS - 1).bit_length() - 1} to {SLOT_AT} of the flow hash. Who has which is the host's "
        "choice; in a session with one receiver, number 0, all these words are 0.",
        "",
        f"Index: {SPREAD_AT} + `{spread_index(0).formula(eni='ENIs')}`.",
        *_fields("Spread word", SPREAD_WORD),
    ]


def _outer() -> list[str]:
    ipv4 = f"`{VERSION_IHL:02x}00 0000 0000 {HOP_LIMIT:02x}{PROTOCOL_UDP:02x}`"
    return [
        f"## Table {Table.OUTER.value}: outer headers",
        "",
        f"Index: `{template_index(0).formula(eni='ENIs')}`; `receiver` is 0 in a build "
        "without the option. Bits count through the words from word 0; the seed is "
        f"word {TEMPLATE_SEED_WORD}. Only sessions whose target is up need a template. {TEMPLATE_BODY.description}",
        *_fields("Template", TEMPLATE_BODY, words=True),
        *_fields(f"Word {TEMPLATE_SEED_WORD}: {TEMPLATE_SEED.name}", TEMPLATE_SEED),
        "",
        TEMPLATE_SEED.description,
        "",
        f"In words of 16 bits, as on the wire: over IPv4 {ipv4}, source and destination address; over IPv6 source and "
        f"destination address, {PROTOCOL_UDP}, {VXLAN_PORT}, `{VXLAN_FLAGS:02x}00 0000`, and the VNI followed by a "
        "byte 0. Add them all, then add what stands above bit 15 to the rest until nothing does.",
    ]


def _lookup() -> list[str]:
    lines = [
        f"## Table {Table.LOOKUP.value}: rule lookup",
        "",
        "A context is one direction of one ENI; rule bit `session*rules + rule` of every word belongs to one of its "
        "rules; above them, bit `sessions*rules + n` belongs to rule `n` of what guards the ENI, at ingress: first the "
        "entries of its network ACL in ascending number, then the rules of its security groups, all of which accept. "
        "The key of a frame is cut into chunks of `chunk_bits`; the value of each chunk addresses a word, "
        "which has the bits of the rules that accept this value there. A rule matches where all words have its bit; "
        "bits of rules that do not exist are 0 in every ternary word. A last word per context says which rules accept "
        "(the others reject).",
        "",
        "With `clocks` = `lookup_clocks`, a lane is a memory that serves `clocks` chunks, in slots 0 to `clocks` - 1. "
        "With one of the `matchers`, it has the contexts of both directions; with two, each has lanes of its own, for "
        "the contexts of one direction:",
        "",
        "    matcher       = 0, or direction if matchers is 2",
        "    contexts      = 2*ENIs // matchers",
        "    context       = direction*ENIs + eni, or eni if matchers is 2",
        "    bank_words    = contexts * clocks * 2**chunk_bits",
        "    first_lane    = matcher*(lanes + 1)",
        "    word          = (first_lane + lane)*bank_words + (context*clocks + slot)*2**chunk_bits + value",
        f"    ternary_lanes = ceil(ceil({TERNARY_KEY.width} / chunk_bits) / clocks)",
        f"    digits        = ceil({PORT_BITS} / chunk_bits)",
        "    bound_lanes   = ceil(digits / clocks)",
        f"    lanes         = ternary_lanes + {2 * len(BOUNDS)}*bound_lanes",
        "    action word   = (first_lane + lanes)*bank_words + context",
        "    rule_slots    = sessions*rules + security_groups",
        f"    parts         = ceil(rule_slots / {WORD_BITS}), rounded up to a power of two",
        "    index         = word*parts + part",
        "",
        f"A word has `rule_slots` bits and is written in parts: part `p` has its bits from `{WORD_BITS}*p` on.",
        "",
        "Chunk `c` of the ternary key, its bits from `c*chunk_bits` on, is in slot `c // ternary_lanes` of lane "
        "`c % ternary_lanes`. A word of it has the bits of the rules whose value agrees with the chunk's in all bits "
        "that the rule's mask has there. Places without a chunk hold ones for every rule bit.",
        *_fields("Ternary key", TERNARY_KEY),
        *_fields("Class", KEY_CLASS),
        "",
        "A rule's mask has its prefix lengths, all of the protocol if it names one, the bit ipv6 always, has_ports if "
        "it has a port range, has_protocol if it names a protocol; the masked value of has_ports and has_protocol is "
        "1.",
        "",
        "Ports are compared digit by digit of `chunk_bits`, digit 0 the most significant: digit `d` has the bits of "
        "the port from `(digits - 1 - d)*chunk_bits` on, and is in slot `d // bound_lanes`, position "
        "`d % bound_lanes`. Each bound has two lanes per position, `ternary_lanes + 2*(bound*bound_lanes + position)` "
        "for `decided` and the next for `equal`. A word of `decided` has the bits of the rules for which this digit "
        "alone puts the port inside the bound (low bound: greater than the rule's digit; high bound: less); a word of "
        "`equal` those whose digit it is. Rules without a range have 0 to 65535. Places without a digit hold 0 in "
        "`decided` and ones in `equal`.",
        "",
        "| bound | port | |",
        "|---|---|---|",
    ]
    lines += [
        f"| {number} | {bound.port} | {'low: at least' if bound.low else 'high: at most'} |"
        for number, bound in enumerate(BOUNDS)
    ]
    lines += [
        "",
        "Some builds:",
        "",
        "| width | enis | rules | lookup_clocks | matchers | chunk_bits | contexts | ternary_lanes | bound_lanes "
        "| lanes | bank_words | parts | indices |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in _SHAPES:
        layout = LookupLayout.of(shape)
        numbers = (
            shape.width,
            shape.enis,
            shape.rules,
            layout.clocks,
            layout.matchers,
            layout.chunk_bits,
            layout.contexts,
            layout.ternary_lanes,
            layout.bound_lanes,
            layout.lanes,
            layout.bank_words,
            layout.parts,
            layout.action_index(layout.matchers - 1, layout.contexts),
        )
        lines.append(f"| {' | '.join(map(str, numbers))} |")
    return lines


def _counters() -> list[str]:
    lines = [
        "## Counters",
        "",
        f"Frames and bytes, {COUNTER_BITS} bits each, since reset. Write SNAPSHOT, wait until SNAPSHOT_STATUS is "
        "not busy, write COUNTER_ADDRESS, then read the four registers behind it; and so on with the next "
        "counter. They all are of one snapshot: of the frames that had entered by a port at one instant, with "
        "their verdicts and their leaving, and of the copies that had left by then; docs/mirroring.md section 9 "
        "has the sums that meet. Bytes are the copied bytes of a mirrored frame, those that would have been "
        "copied of a congested one, and the whole length of any other; at a port the whole length, 65,535 for a "
        "longer frame, and of a copy with its outer headers. `R` is 16, or `rules` rounded up to a power of two "
        "if that is more.",
        "",
        "| group | counts | index |",
        "|---|---|---|",
    ]
    for group in CounterGroupCode:
        formula = counter_index(group, 0, 0).formula(eni="ENIs", rule="R")
        lines.append(f"| {group.value} {group.name.lower()} | {COUNTED[group]} | `{formula}` |")
    ports = ", ".join(f"{code.value} {code.name.lower().replace('_', '-')}" for code in PortCode)
    return [*lines, "", f"Values of port: {ports}."]


def _verdicts() -> list[str]:
    ring = (
        "A host that does not take the verdict stream can have the card keep verdicts. Write RING_SELECT: all of them, "
        "those of one session, or one in so many of each direction; the ring is empty then. RING_STATUS says how many "
        "it holds. The four words of the oldest are in RING_DATA_0 to 3, and reading the last one takes it away: read "
        "them in order, and only as many verdicts as the ring holds. A full ring keeps what it has; RING_LOST counts "
        "what came then. Over a line that may lose an answer, a verdict can be lost with it; their sequence numbers "
        "tell, where all are kept."
    )
    lines = ["## Verdict record", "", VERDICT_RECORD.description, "", ring, *_fields("Record", VERDICT_RECORD)]
    for member in VERDICT_RECORD.members:
        if member.values is not None:
            codes = ", ".join(f"{code.value} {code.name.lower().replace('_', '-')}" for code in member.values)
            lines += ["", f"Values of {member.name}: {codes}."]
    return lines


def _fields(title: str, packed: Packed, *, words: bool = False) -> Iterable[str]:
    """A table of members; ``words``: with the words they stand in."""
    yield from ("", f"### {title}", "", f"| bits |{' words |' if words else ''} field | |")
    yield "|---|---|---|" + ("---|" if words else "")
    for member, lsb in packed:
        msb = lsb + member.width - 1
        bits = f"{lsb}" if member.width == 1 else f"{msb}:{lsb}"
        place = f" {lsb // WORD_BITS} to {msb // WORD_BITS} |" if words else ""
        yield f"| {bits} |{place} {member.name} | {member.description} |"
