"""THE register map: the one place where an address is written.

``REGISTERS`` is the declaration. Everything else is made from it: the decoder in the gateware
(`halfsilver.hdl.bus.register_file`), the driver's data (``address``, ``pack``, ``unpack``), and the documents of
``hdl/layout/register_formats.py``.
"""

from halfsilver.hdl.layout.counters import CounterGroupCode, counter_index
from halfsilver.hdl.layout.register_map import Access, Field, Register, RegisterMap
from halfsilver.hdl.layout.tables import Table
from halfsilver.hdl.layout.version import VERSION_PARTS

__all__ = ["CORE_ID", "REGISTERS"]

CORE_ID = 0x48534D31
"""The letters HSM1."""

RO, RW, WO = Access


def _counter(name: str, address: int, description: str) -> Register:
    return Register(name, address, RO, description, [Field("value", 31, 0, "part of the counter")])


def _counter_indices() -> str:
    """How the counters of each group are numbered."""
    return "; ".join(
        f"{group.name.lower()}: {counter_index(group, 0, 0).formula(eni='ENIs', rule='R')}"
        for group in CounterGroupCode
    )


_GROUPS = {group.name.lower(): group for group in CounterGroupCode}
_TABLES = {"lookup": Table.LOOKUP, "session": Table.SESSIONS, "outer": Table.OUTER, "general": Table.GENERAL}

REGISTERS = RegisterMap(
    "halfsilver",
    "Halfsilver mirror NIC",
    [
        Register(
            "ID",
            0x000,
            RO,
            "Says that this is a Halfsilver core.",
            [Field("value", 31, 0, "the letters HSM1", reset=CORE_ID)],
        ),
        Register(
            "VERSION",
            0x004,
            RO,
            "Version of the gateware.",
            [
                Field("major", 23, 16, "changes when a driver has to change", reset=VERSION_PARTS[0]),
                Field("minor", 15, 8, "changes when something is added", reset=VERSION_PARTS[1]),
                Field("patch", 7, 0, "changes when something is repaired", reset=VERSION_PARTS[2]),
            ],
        ),
        Register(
            "SHAPE",
            0x008,
            RO,
            "What the core was built for.",
            [
                Field("width", 10, 0, "data width in bits", reset=None),
                Field("enis", 20, 16, "network interfaces (ENIs)", reset=None),
                Field("sessions", 25, 24, "sessions per ENI", reset=None),
            ],
        ),
        Register(
            "RULES",
            0x00C,
            RO,
            "Shape of the rule tables.",
            [
                Field("rules", 7, 0, "rules per filter and direction", reset=None),
                Field("extension_headers", 11, 8, "IPv6 extension headers the parser reads", reset=None),
                Field("chunk_bits", 19, 16, "key bits per lookup", reset=None),
                Field("lookup_clocks", 27, 24, "clock cycles per lookup", reset=None),
                Field("matchers", 29, 28, "match pipelines: 1 for both directions, or 2, one for each", reset=None),
            ],
        ),
        Register("QUEUE", 0x010, RO, "Copy buffer.", [Field("depth", 31, 0, "bytes per direction", reset=None)]),
        Register(
            "STATUS",
            0x014,
            RO,
            "State of the rule set.",
            [
                Field("shadow_busy", 0, 0, "copies of the previous rule set still leave; table writes are refused"),
                Field("active_bank", 1, 1, "bank that judges frames; the host writes the other one"),
                Field("generation", 31, 16, "of the active rule set: 0 after reset, each commit adds 1, wraps"),
            ],
        ),
        Register(
            "COMMIT",
            0x018,
            WO,
            "Swaps shadow and active tables between two frames; generation + 1.",
            [Field("go", 0, 0, "write 1 to commit")],
        ),
        Register(
            "REFUSED_WRITES",
            0x01C,
            RO,
            "Table writes and commits refused because the shadow bank was in use; commits that TABLE_CHECK refused.",
            [Field("count", 15, 0, "refused since reset, wraps at 16 bits")],
        ),
        Register(
            "TABLE_ADDRESS",
            0x020,
            RW,
            "Where the next TABLE_DATA goes; each write adds 1 to index.",
            [Field("index", 23, 0, "word in the table"), Field("table", 29, 28, "which table", values=_TABLES)],
            hardware_writable=True,
        ),
        Register(
            "TABLE_DATA",
            0x024,
            WO,
            "Writes a word of the shadow bank at TABLE_ADDRESS.",
            [Field("value", 31, 0, "the word")],
        ),
        Register(
            "GUARDS",
            0x028,
            RO,
            "Security groups and network ACLs. A build without the option has no such register: it reads 0.",
            [Field("security_groups", 7, 0, "rules of both per ENI; 0: the card applies none", reset=None)],
        ),
        Register(
            "COPIES",
            0x02C,
            RO,
            "How copies leave.",
            [
                Field("cut", 13, 0, "longest copy, in bytes of the frame", reset=None),
                Field("own", 16, 16, "1: by a stream of their own; 0: by the network port", reset=None),
            ],
        ),
        Register(
            "COUNTER_ADDRESS",
            0x030,
            RW,
            "A write shows that counter of the last snapshot in the next four registers.",
            [
                Field(
                    "index",
                    15,
                    0,
                    f"counter; {_counter_indices()}; with ENIs rounded up to a "
                    "power of two, and R = 16, or rules rounded up to one if that is more",
                ),
                Field("group", 29, 28, "which counters", values=_GROUPS),
            ],
        ),
        _counter("COUNTER_FRAMES_LOW", 0x034, "Frames of the snapshot, bits 31 to 0."),
        _counter("COUNTER_FRAMES_HIGH", 0x038, "Frames of the snapshot, bits 63 to 32."),
        _counter("COUNTER_BYTES_LOW", 0x03C, "Bytes of the snapshot, bits 31 to 0."),
        _counter("COUNTER_BYTES_HIGH", 0x040, "Bytes of the snapshot, bits 63 to 32."),
        Register(
            "TABLE_CRC",
            0x044,
            RO,
            "CRC-32 of IEEE 802.3 over the words that reached the shadow bank since TABLE_CHECK was written, or since "
            "the last commit: of each its place (docs/tables.md) and itself, lowest byte first.",
            [Field("value", 31, 0, "the CRC; of no words 0")],
        ),
        Register(
            "TABLE_COUNT",
            0x048,
            RO,
            "How many words TABLE_CRC is of.",
            [Field("count", 31, 0, "words, wraps at 32 bits")],
        ),
        Register(
            "EXPECTED_CRC",
            0x04C,
            RW,
            "What TABLE_CRC must be for a commit, where TABLE_CHECK requires it.",
            [Field("value", 31, 0, "the CRC")],
        ),
        Register(
            "TABLE_CHECK",
            0x050,
            RW,
            "Any write begins TABLE_CRC and TABLE_COUNT anew.",
            [
                Field(
                    "required",
                    0,
                    0,
                    "1: COMMIT is refused unless TABLE_CRC is EXPECTED_CRC, and if there was a commit since this "
                    "register was written",
                )
            ],
        ),
        Register(
            "RECEIVERS",
            0x054,
            RO,
            "Spreading of copies. A build without the option has no such register: it reads 0.",
            [Field("receivers", 4, 0, "receivers that a session's copies may have; 0: one", reset=None)],
        ),
        Register(
            "SNAPSHOT",
            0x100,
            WO,
            "Takes a snapshot of all counters.",
            [Field("take", 0, 0, "write 1 to take one; SNAPSHOT_STATUS says when it can be read")],
        ),
        Register(
            "SNAPSHOT_STATUS",
            0x104,
            RO,
            "What has become of the snapshot.",
            [
                Field(
                    "busy", 0, 0, "not whole yet: a frame of it has no verdict, or has not left; counters mean nothing"
                ),
                Field("taken", 31, 16, "snapshots that became whole since reset, wraps"),
            ],
        ),
        Register(
            "RING_SELECT",
            0x110,
            RW,
            "Which verdicts the ring keeps. A write empties it.",
            [
                Field("every", 15, 0, "of those selected, one in so many of each direction; 1: all, 0: none"),
                Field("session", 17, 16, "place of the session at its ENI"),
                Field("eni", 23, 20, "place of the ENI"),
                Field("one_session", 24, 24, "1: those that name this session; 0: all"),
            ],
        ),
        Register(
            "RING_STATUS",
            0x114,
            RO,
            "The ring of verdicts.",
            [Field("held", 15, 0, "verdicts in it"), Field("depth", 31, 16, "verdicts that it holds", reset=None)],
        ),
        Register(
            "RING_LOST",
            0x118,
            RO,
            "Verdicts that were selected and found the ring full.",
            [Field("count", 31, 0, "since RING_SELECT was written, wraps at 32 bits")],
        ),
        *(
            Register(
                f"RING_DATA_{word}",
                0x120 + 4 * word,
                RO,
                f"Oldest verdict in the ring, bits {32 * word + 31} to {32 * word}; 0 if there is none."
                + (" Reading it takes the verdict away: read this word last." if word == 3 else ""),
                [Field("value", 31, 0, "part of the verdict record")],
                read_strobe=word == 3,
            )
            for word in range(4)
        ),
    ],
)
