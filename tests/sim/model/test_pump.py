"""The native pump against the stand-in NIC: every frame arrives whole, in order, and mistakes are noticed."""

import random
import struct

import pytest

from halfsilver.harness.records import Frame
from halfsilver.harness.verdict import Direction
from halfsilver.sim.build import build
from halfsilver.sim.pump import Pacing, Pump, PumpError, await_at, hold_at, read, reset_at, write, write_at
from tests.sim.model.standin import FAULTS, MIRRORED, NO_MATCH, StandIn

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


def make_frames(count, seed, lengths=(1, 14, 60, 61, 64, 65, 127, 128, 129, 1514)):
    rng = random.Random(seed)
    return [Frame(rng.randbytes(rng.choice(lengths)), Direction(rng.randrange(2))) for _ in range(count)]


def expected_copies(frames):
    """The stand-in copies frames whose first byte is even."""
    return [frame.data for frame in frames if not frame.data[0] & 1]


@pytest.fixture(scope="module")
def libraries():
    built = {}

    def get(width):
        if width not in built:
            built[width] = build(StandIn(width), "standin")
        return built[width]

    return get


@pytest.fixture
def pump(libraries):
    made = []

    def make(width=64, fault="", seed=0):
        made.append(Pump(libraries(width), seed=seed))
        made[-1].simulation.io.fault = FAULTS.index(fault)
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("width", [8, 32, 64, 128])
@pytest.mark.parametrize(
    "pacing",
    [Pacing(), Pacing(limit_frames=1), Pacing(input_stalls=0.3, output_stalls=0.5)],
    ids=["paced", "lockstep", "stalls"],
)
def test_paced_copies_come_in_input_order(pump, width, pacing):
    frames = make_frames(200, seed=width)
    run = pump(width).run(frames, pacing)
    assert run.copies == expected_copies(frames)
    assert len(run.verdicts) == len(frames)


@pytest.mark.parametrize("width", [8, 64, 128])
def test_full_rate_keeps_order_within_a_direction(pump, width):
    frames = make_frames(300, seed=width)
    run = pump(width).run(frames, Pacing(full_rate=True, output_stalls=0.2))
    for direction in Direction:
        mine = [frame for frame in frames if frame.direction is direction]
        records = [record for record in run.verdicts if record[10] == direction]
        assert [struct.unpack_from("<IH", record) for record in records] == [
            (number, len(frame.data)) for number, frame in enumerate(mine)
        ]
        assert [record[8] for record in records] == [NO_MATCH if frame.data[0] & 1 else MIRRORED for frame in mine]
        own = set(expected_copies(mine))
        assert [copy for copy in run.copies if copy in own] == expected_copies(mine)


def test_production_passes_with_its_marks(pump):
    """Every frame, whichever way, with the cycles of its way; the marks are looked at by the pump."""
    frames = [
        Frame(frame.data, frame.direction, bad=n % 3 == 0, dropped=n % 5 == 0)
        for n, frame in enumerate(make_frames(100, seed=9))
    ]
    run = pump(64).run(frames, Pacing(full_rate=True, input_stalls=0.1, output_stalls=0.3))
    assert sorted(each.frame for each in run.passed) == list(range(100))
    for direction in Direction:
        mine = [each for each in run.passed if frames[each.frame].direction is direction]
        assert [each.frame for each in mine] == sorted(each.frame for each in mine)
    assert all(each.entered < each.begun <= each.ended for each in run.passed)


def test_bad_frames_are_flagged_with_their_last_beat(pump):
    """The stand-in looks at tuser in the first beat, which is also the last one of a short frame."""
    frames = [Frame(bytes(8), INGRESS, bad=True), Frame(bytes(8), EGRESS), Frame(bytes(16), INGRESS, bad=True)]
    run = pump(64).run(frames, Pacing())
    assert run.copies == [bytes(8), bytes(16)]


def test_full_rate_has_no_idle_cycle(pump):
    """64-byte frames on a 64-bit port are eight beats; one port alone never waits. A copy is whole first."""
    frames = [Frame(bytes(64), INGRESS)] * 100
    run = pump(64).run(frames, Pacing(full_rate=True))
    assert 800 <= run.cycles <= 800 + 16
    assert run.cycles >= run.copy_cycles[-1] - run.copy_cycles[0]


def test_stalls_depend_on_the_seed_alone(pump):
    frames = make_frames(100, seed=5)
    pacing = Pacing(input_stalls=0.3, output_stalls=0.3)
    cycles = [pump(64, seed=seed).run(frames, pacing).cycles for seed in (7, 7, 8)]
    assert cycles[0] == cycles[1] != cycles[2]


def test_several_models_in_one_process(pump):
    frames = make_frames(50, seed=1)
    one, two, other = pump(64), pump(64), pump(128)
    one.write([(0, 1)])
    two.write([(0, 2)])
    for each in (one, other, two, one):
        assert each.run(frames, Pacing()).copies == expected_copies(frames)
    assert one.read([0]) == [1]
    assert two.read([0]) == [2]


def test_registers_read_back_what_was_written(pump):
    words = [(4 * index, random.Random(index).getrandbits(32)) for index in range(8)]
    model = pump(64)
    model.write(words)
    assert model.read([address for address, _ in reversed(words)]) == [value for _, value in reversed(words)]
    assert model.access([write(4, 17), read(4), write(4, 18), read(4)]) == [17, 18]


def test_refused_register_access_is_an_error(pump):
    with pytest.raises(PumpError, match="register write 0x020 was refused with response 2"):
        pump(64).write([(0x20, 1)])
    with pytest.raises(PumpError, match="register read 0x024 was refused with response 2"):
        pump(64).read([0x24])


def test_ports_are_reachable_through_pyverilator(pump):
    simulation = pump(128).simulation
    simulation.io.s_axis_net_tdata = (1 << 127) | 5
    assert int(simulation.io.s_axis_net_tdata) == (1 << 127) | 5
    assert simulation.clock is not None


@pytest.mark.parametrize(
    "fault, message",
    [
        ("valid_drops", "tvalid fell before tready"),
        ("payload_changes", "changed while it waited"),
        ("keep_gap", "tkeep is not contiguous"),
        ("loses_copy", r"\d+ verdicts 'mirrored' but \d+ copies"),
        ("loses_verdict", "frame \\d+ has no verdict"),
        ("extra_verdict", "a frame that was not offered"),
        ("changes_production", "production ingress: frame 3 is changed between bytes 0 and 8"),
        ("shortens_production", "frame 0 has 60 bytes and comes out with 59"),
        ("loses_production", "production ingress: frame 3 is changed between bytes 0 and 8"),
        ("invents_production", "production ingress: frame 6 has 60 bytes and comes out with 4"),
        ("loses_mark", "frame 0 comes out with other marks: bad 0, drop 0"),
        ("swaps_sides", "m_axis_net_tuser bit 1 changes within a frame"),
        ("copy_pauses", "a copy pauses on m_axis_net"),
    ],
)
def test_faults_are_noticed(pump, fault, message):
    frames = [Frame(bytes([0, number, *[0] * 58]), INGRESS, dropped=fault == "loses_mark") for number in range(10)]
    with pytest.raises(PumpError, match=message):
        pump(64, fault).run(frames, Pacing(output_stalls=0.5, timeout=500))


def test_progress_and_stopping(pump):
    frames = make_frames(2000, seed=3)
    model = pump(8)
    seen = []
    model.run(frames, Pacing(), seen.append)
    assert len(seen) > 3 and seen == sorted(seen) and 0 < seen[-1] <= len(frames)

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.run(frames, Pacing(), stop)


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_impossible_stalls_are_refused(probability):
    with pytest.raises(ValueError, match="input_stalls must be at least 0 and less than 1"):
        Pacing(input_stalls=probability)


def test_registers_are_written_while_frames_run(pump):
    """In order, none before its cycle, and an awaited value is waited for; the frames notice nothing."""
    nic, frames = pump(), make_frames(100, seed=1)
    schedule = [write_at(cycle, 4 * place, cycle) for place, cycle in enumerate((0, 7, 7, 300))]
    schedule += [await_at(310, 12, 0xFF0, 300 & 0xFF0), write_at(0, 16, 5)]
    run = nic.run(frames, Pacing(), schedule=schedule)
    assert run.copies == expected_copies(frames) and len(run.verdicts) == len(frames)
    assert nic.read(range(0, 20, 4)) == [0, 7, 7, 300, 5]


def test_what_is_scheduled_after_the_last_frame_still_happens(pump):
    nic = pump()
    nic.run(make_frames(2, seed=1), Pacing(timeout=200), schedule=[write_at(5000, 4, 0x1234)])
    assert nic.read([4]) == [0x1234]


def test_a_value_that_never_comes_and_a_refused_access_are_failures(pump):
    with pytest.raises(PumpError, match="a scheduled register access waits"):
        pump().run([], Pacing(timeout=200), schedule=[await_at(0, 4, 1, 1)])
    with pytest.raises(PumpError, match="scheduled access to register 0x020 was refused"):
        pump().run([], Pacing(), schedule=[write_at(0, 0x20, 1)])


def test_an_output_that_is_held_takes_nothing(pump):
    """First that of the copies, then the host's."""
    frames = [Frame(bytes(64), INGRESS)] * 4
    schedule = [hold_at(0, EGRESS), hold_at(100, INGRESS), hold_at(200)]
    run = pump(64).run(frames, Pacing(full_rate=True), schedule=schedule, starts=[0, 0, 0, 120])
    assert run.copies == [bytes(64)] * 4
    assert run.passed[2].ended < 100 <= run.copy_cycles[0]
    assert run.copy_cycles[3] < 200 <= run.passed[3].begun


@pytest.mark.parametrize("cycle", [0, 1, 50, 333, 500])
def test_a_reset_cuts_a_batch(pump, cycle):
    """What came out is the beginning of what would have; the next batch is whole."""
    nic, frames = pump(), make_frames(200, seed=2, lengths=(64,))
    run = nic.run(frames, Pacing(), schedule=[reset_at(cycle)])
    whole = expected_copies(frames)
    assert run.copies == whole[: len(run.copies)] and len(run.copies) < len(whole)
    assert bool(run.copies) == (cycle >= 50)
    assert nic.run(frames, Pacing()).copies == whole
