# amaranth: UnusedElaboratable=no
"""The register map and its decoder. Addresses and bit places are those of the published register table."""

import json
import shutil
import subprocess

import pytest
from amaranth.sim import Simulator

from halfsilver.hdl.bus.register_file import RegisterFile
from halfsilver.hdl.layout.card_registers import CARD_BASE, CARD_REGISTERS
from halfsilver.hdl.layout.register_formats import FORMATS, render
from halfsilver.hdl.layout.register_map import Access, Field, Register, RegisterMap
from halfsilver.hdl.layout.registers import REGISTERS

TABLE = {
    # name: (address, access, {field: (first bit, bit after the last)}), written out a second time on purpose
    "ID": (0x000, "ro", {"value": (0, 32)}),
    "VERSION": (0x004, "ro", {"major": (16, 24), "minor": (8, 16), "patch": (0, 8)}),
    "SHAPE": (0x008, "ro", {"width": (0, 11), "enis": (16, 21), "sessions": (24, 26)}),
    "RULES": (
        0x00C,
        "ro",
        {
            "rules": (0, 8),
            "extension_headers": (8, 12),
            "chunk_bits": (16, 20),
            "lookup_clocks": (24, 28),
            "matchers": (28, 30),
        },
    ),
    "QUEUE": (0x010, "ro", {"depth": (0, 32)}),
    "STATUS": (0x014, "ro", {"shadow_busy": (0, 1), "active_bank": (1, 2), "generation": (16, 32)}),
    "COMMIT": (0x018, "wo", {"go": (0, 1)}),
    "REFUSED_WRITES": (0x01C, "ro", {"count": (0, 16)}),
    "TABLE_ADDRESS": (0x020, "rw", {"index": (0, 24), "table": (28, 30)}),
    "TABLE_DATA": (0x024, "wo", {"value": (0, 32)}),
    "GUARDS": (0x028, "ro", {"security_groups": (0, 8)}),
    "COPIES": (0x02C, "ro", {"cut": (0, 14), "own": (16, 17)}),
    "COUNTER_ADDRESS": (0x030, "rw", {"index": (0, 16), "group": (28, 30)}),
    "COUNTER_FRAMES_LOW": (0x034, "ro", {"value": (0, 32)}),
    "COUNTER_FRAMES_HIGH": (0x038, "ro", {"value": (0, 32)}),
    "COUNTER_BYTES_LOW": (0x03C, "ro", {"value": (0, 32)}),
    "COUNTER_BYTES_HIGH": (0x040, "ro", {"value": (0, 32)}),
    "TABLE_CRC": (0x044, "ro", {"value": (0, 32)}),
    "TABLE_COUNT": (0x048, "ro", {"count": (0, 32)}),
    "EXPECTED_CRC": (0x04C, "rw", {"value": (0, 32)}),
    "TABLE_CHECK": (0x050, "rw", {"required": (0, 1)}),
    "RECEIVERS": (0x054, "ro", {"receivers": (0, 5)}),
    "SNAPSHOT": (0x100, "wo", {"take": (0, 1)}),
    "SNAPSHOT_STATUS": (0x104, "ro", {"busy": (0, 1), "taken": (16, 32)}),
    "RING_SELECT": (0x110, "rw", {"every": (0, 16), "session": (16, 18), "eni": (20, 24), "one_session": (24, 25)}),
    "RING_STATUS": (0x114, "ro", {"held": (0, 16), "depth": (16, 32)}),
    "RING_LOST": (0x118, "ro", {"count": (0, 32)}),
    "RING_DATA_0": (0x120, "ro", {"value": (0, 32)}),
    "RING_DATA_1": (0x124, "ro", {"value": (0, 32)}),
    "RING_DATA_2": (0x128, "ro", {"value": (0, 32)}),
    "RING_DATA_3": (0x12C, "ro", {"value": (0, 32)}),
}
RECEIVED = ("GOOD", "PREAMBLE", "SYMBOL", "RUNT", "GIANT", "FCS", "OVERFLOW", "STALL")
SENT = ("GOOD", "MARKED", "UNDERRUN", "DISCARDED")
LINK = {"up": (0, 1), "speed": (1, 3), "duplex": (3, 4), "clock": (4, 5)}
CARD_TABLE = {
    "CARD_ID": (0x800, "ro", {"value": (0, 32)}),
    "CARD_SHAPE": (0x804, "ro", {"ports": (0, 2)}),
    "NET_LINK": (0x808, "ro", LINK),
    "HOST_LINK": (0x80C, "ro", LINK),
    "LINE_FRAMING": (0x810, "ro", {"count": (0, 16)}),
    "LINE_REFUSED": (0x814, "ro", {"count": (0, 16)}),
    "LINE_ABANDONED": (0x818, "ro", {"count": (0, 16)}),
    "GIT_HASH": (0x820, "ro", {"value": (0, 32)}),
    "BUILD_HASH": (0x824, "ro", {"value": (0, 32)}),
    **{
        f"{port}_{way}_{name}": (start + 4 * number, "ro", {"count": (0, 32)})
        for port, way, names, start in (
            ("NET", "RECEIVED", RECEIVED, 0x840),
            ("NET", "SENT", SENT, 0x860),
            ("HOST", "RECEIVED", RECEIVED, 0x880),
            ("HOST", "SENT", SENT, 0x8A0),
        )
        for number, name in enumerate(names)
    },
}
RDL_ACCESS = {"ro": "r", "rw": "rw", "wo": "w"}


def word_field(msb=31, lsb=0, name="value"):
    return Field(name, msb, lsb, "a number")


def register(name="A", address=0, access=Access.RO, fields=None, **options):
    return Register(name, address, access, "a register", fields or [word_field()], **options)


# The map


@pytest.mark.parametrize(("registers", "table"), [(REGISTERS, TABLE), (CARD_REGISTERS, CARD_TABLE)])
def test_the_map_is_the_published_one(registers, table):
    found = {
        one.name: (one.address, one.access.value, {field.name: (field.lsb, field.msb + 1) for field in one.fields})
        for one in registers
    }
    assert found == table


def test_a_card_has_its_registers_above_those_of_the_nic():
    assert max(register.address for register in REGISTERS) < CARD_BASE
    assert min(register.address for register in CARD_REGISTERS) == CARD_BASE
    assert CARD_REGISTERS["CARD_ID"].reset == int.from_bytes(b"HSC1", "big")


def test_lookup_by_name_and_attribute():
    assert REGISTERS.address("TABLE_DATA") == 0x024
    assert REGISTERS.COMMIT is REGISTERS["COMMIT"]
    with pytest.raises(KeyError, match="NOTHING"):
        REGISTERS.address("NOTHING")
    with pytest.raises(AttributeError, match="NOTHING"):
        _ = REGISTERS.NOTHING


def test_pack_and_unpack():
    assert REGISTERS.pack("TABLE_ADDRESS", table=2, index=0x123456) == 0x20123456
    assert REGISTERS.unpack("TABLE_ADDRESS", 0xE0123456) == {"index": 0x123456, "table": 2}
    assert REGISTERS.pack("ID") == int.from_bytes(b"HSM1", "big")
    assert REGISTERS.pack("SHAPE", width=64) == 64


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"table": 4}, "table must be 0 to 0x3"),
        ({"table": -1}, "table must be 0 to 0x3"),
        ({"index": 1 << 24}, "index must be 0 to 0xffffff"),
        ({"index": 1.0}, "index must be"),
        ({"bank": 1}, "no field 'bank', only index, table"),
    ],
)
def test_pack_refuses(values, words):
    with pytest.raises(ValueError, match=words):
        REGISTERS.pack("TABLE_ADDRESS", **values)


@pytest.mark.parametrize("word", [-1, 1 << 32, "0"])
def test_unpack_refuses(word):
    with pytest.raises(ValueError, match="register word must be"):
        REGISTERS.unpack("ID", word)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Field("Value", 0, 0, "text"), "field name"),
        (lambda: word_field(32, 0), r"must be within \[31:0\]"),
        (lambda: word_field(3, 4), r"must be within \[31:0\]"),
        (lambda: word_field(3, -1), r"must be within \[31:0\]"),
        (lambda: Field("value", 0, 0, ""), "needs a description"),
        (lambda: Field("value", 3, 0, "text", reset=16), "must be 0 to 0xf"),
        (lambda: Field("value", 3, 0, "text", values={"much": 16}), "must be 0 to 0xf"),
        (lambda: register(name="lower"), "register name"),
        (lambda: register(address=2), "multiple of 4"),
        (lambda: register(address=0x1000), "below 0x1000"),
        (lambda: register(address=-4), "multiple of 4"),
        (lambda: Register("A", 0, Access.RO, "", [word_field()]), "needs a description"),
        (lambda: Register("A", 0, Access.RO, "text", []), "at least one field"),
        (lambda: register(fields=[word_field(8, 4, "high"), word_field(4, 0, "low")]), "low and high overlap"),
        (lambda: register(fields=[word_field(8, 5, "twin"), word_field(4, 0, "twin")]), "two fields of one name"),
        (lambda: register(hardware_writable=True), "only an RW register"),
        (lambda: register(access=Access.RW, read_strobe=True), "only an RO register"),
        (lambda: RegisterMap("A map", "text", []), "map name"),
        (lambda: RegisterMap("map", "text", [register("A", 4), register("B", 4)]), "A and B share address 0x004"),
        (lambda: RegisterMap("map", "text", [register("A", 4), register("A", 8)]), "two registers are named A"),
    ],
)
def test_declarations_that_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# The documents


def test_json_says_the_same():
    document = json.loads(render("json"))
    found = {
        one["name"]: (
            one["address"],
            one["access"],
            {field["name"]: (field["lsb"], field["msb"] + 1) for field in one["fields"]},
        )
        for one in document["registers"]
    }
    assert found == TABLE
    assert document["registers"][0]["reset"] == 0x48534D31


def test_markdown_names_everything():
    text = render("md")
    for name, (address, access, fields) in TABLE.items():
        assert f"| `{address:#05x}` | [{name}](#{name.lower()}) | {access} |" in text
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for field, (first, end) in fields.items():
            bits = str(first) if end == first + 1 else f"{end - 1}:{first}"
            assert f"| {bits} | {field} |" in section


@pytest.mark.parametrize(("compiler", "language"), [("gcc", "c"), ("g++", "c++")])
def test_c_header_compiles_and_says_the_same(compiler, language, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    checks = []
    for name, (address, _, fields) in TABLE.items():
        checks.append(f"HALFSILVER_{name} == {address}")
        for field, (first, end) in fields.items():
            macro = f"HALFSILVER_{name}_{field.upper()}"
            checks += [f"{macro}_SHIFT == {first}", f"{macro}_MASK == {((1 << end) - (1 << first))}u"]
    checks += ["HALFSILVER_ID_RESET == 0x48534d31u", "HALFSILVER_COUNTER_ADDRESS_GROUP_RULE == 2"]
    (tmp_path / "registers.h").write_text(render("c"))
    source = tmp_path / f"check.{'c' if language == 'c' else 'cpp'}"
    source.write_text(
        '#include "registers.h"\n#include "registers.h"\nint main(void) {\n'
        + "".join(f"    if (!({check})) return {number};\n" for number, check in enumerate(checks, start=1))
        + "    return 0;\n}\n"
    )
    program = tmp_path / "check"
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", source, "-o", program], check=True, timeout=60
    )
    code = subprocess.run([program], timeout=10, check=False).returncode
    assert code == 0, checks[code - 1]


def test_systemrdl_compiles_and_says_the_same(tmp_path):
    systemrdl = pytest.importorskip("systemrdl")
    path = tmp_path / "registers.rdl"
    path.write_text(render("rdl"))
    compiler = systemrdl.RDLCompiler()
    compiler.compile_file(str(path))
    top = compiler.elaborate().top
    assert top.inst_name == "halfsilver"
    found = {}
    for one in top.registers():
        fields = {field.inst_name: (field.lsb, field.msb + 1) for field in one.fields()}
        access = {field.get_property("sw").name for field in one.fields()}
        assert access == {RDL_ACCESS[TABLE[one.inst_name][1]]}
        found[one.inst_name] = (one.absolute_address, TABLE[one.inst_name][1], fields)
    assert found == TABLE
    assert top.get_child_by_name("ID").get_child_by_name("value").get_property("reset") == 0x48534D31
    table = top.get_child_by_name("TABLE_ADDRESS").get_child_by_name("table").get_property("encode")
    assert {member.name: member.value for member in table} == {"lookup": 0, "session": 1, "outer": 2, "general": 3}


def test_text_in_systemrdl_is_quoted():
    text = render("rdl", RegisterMap("map", 'say "so" \\', [register()]))
    assert r'name = "say \"so\" \\";' in text


def test_unknown_format():
    assert list(FORMATS) == ["md", "c", "json", "rdl"]
    with pytest.raises(ValueError, match="one of md, c, json, rdl, not 'xml'"):
        render("xml")


# The decoder


def run(bench, registers=REGISTERS):
    dut = RegisterFile(registers)

    async def testbench(ctx):
        await bench(ctx, dut)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


async def write(ctx, dut, address, value):
    ctx.set(dut.bus.address, address)
    ctx.set(dut.bus.write_data, value)
    ctx.set(dut.bus.write, 1)
    await ctx.tick()
    ctx.set(dut.bus.write, 0)


async def read(ctx, dut, address):
    """Value and clocks from the request to the answer."""
    ctx.set(dut.bus.address, address)
    ctx.set(dut.bus.read, 1)
    await ctx.tick()
    ctx.set(dut.bus.read, 0)
    ctx.set(dut.bus.address, 0xABC)  # the address counts in one clock only
    for clocks in range(1, 50):
        if ctx.get(dut.bus.read_valid):
            value = ctx.get(dut.bus.read_data)
            await ctx.tick()
            assert not ctx.get(dut.bus.read_valid)
            return value, clocks
        await ctx.tick()
    raise AssertionError("no answer")


def test_every_register_reads_and_writes_at_its_address_only():
    names = [name for name, (_, access, _) in TABLE.items() if access == "ro"]
    writable = {name: address for name, (address, access, _) in TABLE.items() if access != "ro"}

    def mask(name):
        return sum((1 << end) - (1 << first) for first, end in TABLE[name][2].values())

    async def bench(ctx, dut):
        for number, name in enumerate(names):
            ctx.set(getattr(dut, f"r_{name.lower()}").as_value(), 0x9E3779B9 * (number + 1) & 0xFFFFFFFF)
        for number, name in enumerate(names):
            want = 0x9E3779B9 * (number + 1) & mask(name)
            assert await read(ctx, dut, TABLE[name][0]) == (want, 2)
            assert await read(ctx, dut, TABLE[name][0] + 3) == (want, 2)
        shadow = dict.fromkeys(writable, 0)
        for number, address in enumerate(range(0, 0x140, 4)):
            value = 0xC2B2AE35 * (number + 1) & 0xFFFFFFFF
            await write(ctx, dut, address, value)
            for name, place in writable.items():
                if place == address:
                    shadow[name] = value & mask(name)
                assert ctx.get(getattr(dut, f"w_{name.lower()}_strobe")) == (place == address)
                assert ctx.get(getattr(dut, f"w_{name.lower()}").as_value()) == shadow[name]
        await ctx.tick()
        for name, place in writable.items():
            assert not ctx.get(getattr(dut, f"w_{name.lower()}_strobe"))
            want = shadow[name] if TABLE[name][1] == "rw" else 0
            assert await read(ctx, dut, place) == (want, 2)
        for address in (0x058, 0x07C, 0x400, 0x800, 0xFFC):
            assert await read(ctx, dut, address) == (0, 2)

    run(bench)


def test_a_read_is_told_once_with_the_value_that_the_host_gets():
    """A counter of reads: each shows the number before it, whatever is read in between, or written, or held."""

    async def bench(ctx, dut):
        told = 0
        ctx.set(dut.r_ring_data_3.value, told)

        async def tick():
            nonlocal told
            strobe = ctx.get(dut.r_ring_data_3_strobe)
            await ctx.tick()
            told += strobe
            ctx.set(dut.r_ring_data_3.value, told)

        for number in range(20):
            ctx.set(dut.bus.address, 0x12C)
            ctx.set(dut.bus.read, 1)
            await tick()
            ctx.set(dut.bus.read, 0)
            ctx.set(dut.hold, 1)
            for _ in range(number % 4):
                await tick()
            ctx.set(dut.hold, 0)
            while not ctx.get(dut.bus.read_valid):
                await tick()
            assert ctx.get(dut.bus.read_data) == number
            await tick()
            assert told == number + 1
            for address in (0x128, 0x130, 0x034):
                await read(ctx, dut, address)
            await write(ctx, dut, 0x12C, 0)
            assert told == number + 1 and not ctx.get(dut.r_ring_data_3_strobe)

    run(bench)


def test_identity_needs_no_wiring():
    async def bench(ctx, dut):
        assert await read(ctx, dut, 0x000) == (0x48534D31, 2)
        assert await read(ctx, dut, 0x004) == (0x00000100, 2)

    run(bench)


def test_hold_delays_the_answer_and_shows_the_later_value():
    async def bench(ctx, dut):
        ctx.set(dut.hold, 1)
        ctx.set(dut.bus.address, 0x034)
        ctx.set(dut.bus.read, 1)
        await ctx.tick()
        ctx.set(dut.bus.read, 0)
        for _ in range(5):
            await ctx.tick()
            assert not ctx.get(dut.bus.read_valid)
        ctx.set(dut.r_counter_frames_low.value, 1234)
        ctx.set(dut.hold, 0)
        await ctx.tick()
        assert ctx.get(dut.bus.read_valid)
        assert ctx.get(dut.bus.read_data) == 1234

    run(bench)


def test_table_address_counts_up_with_back_to_back_writes():
    async def bench(ctx, dut):
        await write(ctx, dut, 0x020, 0x10000005)
        places = []
        for value in range(100, 104):
            await write(ctx, dut, 0x024, value)
            assert ctx.get(dut.w_table_data_strobe)
            places.append(
                (
                    ctx.get(dut.w_table_address.table),
                    ctx.get(dut.w_table_address.index),
                    ctx.get(dut.w_table_data.value),
                )
            )
            ctx.set(dut.h_table_address, {"table": 1, "index": places[-1][1] + 1})
            ctx.set(dut.h_table_address_strobe, 1)
        assert places == [(1, 5, 100), (1, 6, 101), (1, 7, 102), (1, 8, 103)]
        # A write by the host in the clock of the hardware's is what counts, and only it has a strobe.
        await write(ctx, dut, 0x020, 0x20000040)
        assert ctx.get(dut.w_table_address.index) == 0x40
        assert ctx.get(dut.w_table_address_strobe)
        await ctx.tick()
        assert ctx.get(dut.w_table_address.index) == 9
        assert not ctx.get(dut.w_table_address_strobe)

    run(bench)


def test_reset_values_of_written_registers():
    registers = RegisterMap(
        "map",
        "text",
        [
            Register(
                "A", 0, Access.RW, "text", [Field("low", 3, 0, "text", reset=5), Field("top", 31, 31, "text", reset=1)]
            )
        ],
    )

    async def bench(ctx, dut):
        assert await read(ctx, dut, 0) == (0x80000005, 2)
        assert ctx.get(dut.w_a.low) == 5
        assert not ctx.get(dut.w_a_strobe)

    run(bench, registers)
