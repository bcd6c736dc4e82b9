"""A card as an engine: the same answers as the golden model, and what is wrong on the wires is noticed."""

import dataclasses
import random
from contextlib import closing

import pytest

from halfsilver.harness.bench.wires import open_wire
from halfsilver.harness.engines.card import CardEngine
from halfsilver.harness.engines.golden import GoldenEngine
from halfsilver.harness.errors import EXIT_BOARD, EXIT_MISMATCH, CardUnreachable, HalfsilverError, UsageError
from halfsilver.harness.policy.policy import Policy
from halfsilver.harness.records import Frame
from halfsilver.harness.report.compare import compare
from halfsilver.harness.verdict import Direction, VerdictRecord
from tests.harness.bench.board_kit import HOST, NET, SMALL, Board, memory_wires, on_sockets
from tests.harness.commands.cli_kit import DOCUMENTS, FRAMES

POLICY = Policy.from_documents(DOCUMENTS)
WEB = POLICY.interfaces[0].mac
PATIENCE = 0.2
SPEECH = bytes.fromhex("333300000016 0200000000ff 86dd").ljust(90, b"\x3a")
"""A frame of a host that speaks by itself."""


def batch(count=200, seed=1):
    """The frames with known answers, numbered so that none is like another, in random order; both directions."""
    source = random.Random(seed)
    frames = []
    for number in range(count):
        data = source.choice(FRAMES[:6]) + number.to_bytes(4, "big") + source.randbytes(source.randrange(100))
        frames.append(Frame(data, Direction.EGRESS if data[6:12] == WEB else Direction.INGRESS))
    return frames


def engine_on(board, shortest=0, **settings):
    net, host = memory_wires(board, shortest)
    engine = CardEngine(board.card, net, host, name="board:test", patience=PATIENCE, **settings)
    engine.configure(board.policy)
    return engine


def golden_of(frames, shortest=0):
    golden = GoldenEngine(shortest_frame=shortest)
    golden.configure(POLICY)
    return golden.process(frames)


def once(where, change, at=7):
    """What becomes of frames that leave, or enter, on a side: the ``at``-th of them is changed."""
    seen = []

    def pass_on(side, data):
        if side == where:
            seen.append(data)
        return change(data) if side == where and len(seen) == at else [data]

    return pass_on


def swap_at(where, at=7):
    """The ``at``-th and the next frame that leave on a side change places."""
    seen, held = [], []

    def pass_on(side, data):
        if side != where:
            return [data]
        seen.append(data)
        if len(seen) == at:
            held.append(data)
            return []
        return [data, held.pop()] if held else [data]

    return pass_on


def flipped(data, at=-1):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_the_same_as_the_golden_model():
    """Batches of many portions; verdicts, copies, counters and production."""
    board = Board(POLICY)
    engine = engine_on(board)
    golden = GoldenEngine()
    golden.configure(POLICY)
    for seed in range(3):
        frames = batch(seed=seed)
        result = engine.process(frames)
        assert not compare(golden.process(frames), result) and result.noise == 0
        for way in Direction:
            mine = [frame.data for frame in frames if frame.direction is way]
            assert result.production[way].frames == len(mine)
            assert result.production[way].octets == sum(map(len, mine))


def test_what_the_card_did_before_is_not_counted():
    """Its sequence numbers, generation and counters go on; the engine's begin."""
    board = Board(POLICY)
    first = engine_on(board)
    first.process(batch(50))
    first.close()
    second = engine_on(board)
    assert second.configure(POLICY) == 2
    golden = GoldenEngine()
    golden.configure(POLICY)
    golden.configure(POLICY)
    frames = batch(60, seed=2)
    assert not compare(golden.process(frames), second.process(frames))


def test_short_frames_are_padded_and_judged_so():
    """As a MAC does; where a wire has short frames they stay."""
    frames = [Frame(data, Direction.INGRESS) for data in FRAMES]
    padded = engine_on(Board(POLICY), shortest=60).process(frames)
    assert [record.length for record in padded.verdicts] == [max(60, len(data)) for data in FRAMES]
    assert not compare(golden_of(frames, shortest=60), padded)
    assert not compare(golden_of(frames), engine_on(Board(POLICY)).process(frames))


def test_a_small_ring_is_never_full():
    """The portions follow from its size."""
    board = Board(POLICY)
    board.card.ring = 16
    frames = batch(150)
    result = engine_on(board).process(frames)
    assert not compare(golden_of(frames), result) and board.card.lost == 0


def test_a_portion_is_no_more_than_half_the_copy_buffer():
    board = Board(POLICY, shape=SMALL)
    most = []
    take = board.take

    def held(side, data):
        most.append(len(data))
        return take(side, data)

    board.take = held
    reads = board.card.read

    def read(addresses):
        assert sum(most) <= 8192
        most.clear()
        return reads(addresses)

    engine = engine_on(board)
    board.card.read = read
    engine.process([Frame(FRAMES[0] + bytes(1500), Direction.INGRESS)] * 20)


def noisy(board, side, every=5, data=SPEECH):
    """Others speak on a side: their frames pass the card like any."""
    plain, seen = board.take, []

    def take(where, frame):
        seen.append(frame)
        extra = plain(side, data) if len(seen) % every == 0 else []
        return extra + plain(where, frame)

    board.take = take


@pytest.mark.parametrize("side", [NET, HOST])
def test_frames_of_others_that_pass_are_noise(side):
    """They are judged, counted and kept in the ring like ours, and are in no answer of the engine."""
    board = Board(POLICY)
    noisy(board, side)
    engine = engine_on(board)
    frames = batch()
    result = engine.process(frames)
    assert not compare(golden_of(frames), result)
    assert result.noise == len(frames) // 5


@pytest.mark.parametrize("side", [NET, HOST])
def test_frames_of_others_that_are_as_long_are_noise(side):
    """Their records are told from ours by the places of the frames that passed."""
    board = Board(POLICY)
    noisy(board, side)
    start = (FRAMES[0] if side == NET else FRAMES[1])[:54]
    way = Direction.INGRESS if side == NET else Direction.EGRESS
    frames = [Frame((start + bytes([number])).ljust(len(SPEECH), b"\0"), way) for number in range(64)]
    result = engine_on(board).process(frames)
    assert not compare(golden_of(frames), result) and result.noise == len(frames) // 5


@pytest.mark.parametrize("side", [NET, HOST])
def test_copies_of_frames_of_others_are_noise(side):
    """A frame that is mirrored, and that nobody here has sent."""
    foreign = (FRAMES[0] if side == NET else FRAMES[1]) + b"somebody else's"
    board = Board(POLICY)
    noisy(board, side, every=20, data=foreign)
    engine = engine_on(board)
    frames = batch()
    result = engine.process(frames)
    assert not compare(golden_of(frames), result)
    assert result.noise == 2 * (len(frames) // 20)


def test_frames_of_others_between_batches_are_noise():
    board = Board(POLICY)
    engine = engine_on(board)
    golden = GoldenEngine()
    golden.configure(POLICY)
    for seed in range(3):
        frames = batch(30, seed=seed)
        assert not compare(golden.process(frames), engine.process(frames))
        for _ in range(700 * (seed == 1) + 2):  # more than the ring holds
            for side, data in board.take(NET, SPEECH):
                engine._wires[Direction.INGRESS]._wires[side].inbox.append(data)


def test_noise_that_the_card_never_saw_is_noise():
    """As from a switch, on the network's wire alone."""
    board = Board(POLICY)
    board.on_leave = once(NET, lambda data: [SPEECH, data, SPEECH])
    engine = engine_on(board)
    frames = batch()
    result = engine.process(frames)
    assert not compare(golden_of(frames), result) and result.noise == 2


FAULTS = {
    "loses": (lambda data: [], "did not come|did not come out"),
    "doubles": (lambda data: [data, data], "came out twice|came twice"),
    "changes": (lambda data: [flipped(data)], r"different from byte \d+ on"),
    "cuts": (lambda data: [data[:-1]], "did not come"),
}


@pytest.mark.parametrize("at", [1, 60])
@pytest.mark.parametrize("side", [NET, HOST])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wire_with_a_fault_is_noticed(fault, side, at):
    """Behind the card: of production or a copy, in the first portion or later."""
    change, says = FAULTS[fault]
    board = Board(POLICY)
    board.on_leave = once(side, change, at)
    with pytest.raises(HalfsilverError, match=says) as raised:
        engine_on(board).process(batch())
    assert raised.value.exit_code == EXIT_MISMATCH and "\n" not in str(raised.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_that_failed_leaves_nothing_behind(fault):
    change, says = FAULTS[fault]
    board = Board(POLICY)
    board.on_leave = once(HOST, change)
    engine = engine_on(board)
    with pytest.raises(HalfsilverError, match=says):
        engine.process(batch())
    frames = batch(seed=2)
    assert compare(golden_of(frames), engine.process(frames)) == []


@pytest.mark.parametrize("side", [NET, HOST])
def test_a_wire_that_changes_the_order_is_noticed(side):
    board = Board(POLICY)
    ingress = [Frame(FRAMES[0][:60] + bytes([n]) + FRAMES[0][61:], Direction.INGRESS) for n in range(30)]
    board.on_leave = swap_at(side)
    with pytest.raises(HalfsilverError, match="out of order"):
        engine_on(board).process(ingress)


@pytest.mark.parametrize("at", [1, 30])
@pytest.mark.parametrize("side", [NET, HOST])
def test_a_frame_that_does_not_reach_the_card_is_a_matter_of_the_rig(side, at):
    board = Board(POLICY)
    board.on_enter = once(side, lambda data: [], at)
    with pytest.raises(HalfsilverError, match="frames were sent, and .* not all reached the card") as raised:
        engine_on(board).process(batch())
    assert raised.value.exit_code == EXIT_BOARD


def test_a_wire_with_a_fault_and_noise_is_noticed():
    board = Board(POLICY)
    noisy(board, HOST)
    board.on_leave = once(NET, lambda data: [flipped(data)] if data != SPEECH else [], 9)
    with pytest.raises(HalfsilverError, match="did not come|not all of ours came out"):
        engine_on(board).process(batch())


def test_noise_without_end_is_no_hang():
    """A frame is lost, and somebody never stops to speak."""
    board = Board(POLICY)
    board.on_leave = once(NET, lambda data: [])
    engine = engine_on(board)
    net = engine._wires[Direction.INGRESS]
    receive = net.receive

    def babble(seconds):
        net.inbox.append(SPEECH)
        return receive(seconds)

    net.receive = babble
    with pytest.raises(HalfsilverError, match="did not come"):
        engine.process(batch(40))


def test_a_ring_that_loses_records_is_said():
    board = Board(POLICY)
    board.card.ring = 32
    seen = []

    def keep(record):
        seen.append(record)
        return [record] * (40 if len(seen) == 9 else 1)

    board.on_record = keep
    with pytest.raises(HalfsilverError, match="ring of 32 verdicts was full and has lost") as raised:
        engine_on(board).process(batch())
    assert raised.value.exit_code == EXIT_BOARD


def change_record(**changes):
    seen = []

    def keep(record):
        seen.append(record)
        changed = dataclasses.replace(VerdictRecord.from_bytes(record), **changes).to_bytes()
        return [changed if len(seen) == 12 else record]

    return keep


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (change_record(sequence=77), "has sequence number 77, not"),
        (lambda record: [record[:8] + b"\x63" + record[9:]], "makes no sense"),
        (lambda record: [], "0 have a verdict"),
        (change_record(length=9), "not all reached the card"),
    ],
)
def test_a_card_that_says_nonsense_is_noticed(keep, says):
    board = Board(POLICY)
    board.on_record = keep
    with pytest.raises(HalfsilverError, match=says):
        engine_on(board).process(batch(30))


def test_a_card_that_copies_what_it_does_not_say_is_noticed():
    """A copy without a record that has it, and a record without its copy."""
    board = Board(POLICY)
    more = golden_of([Frame(FRAMES[1] + b"nobody's", Direction.EGRESS)]).outputs[0].data
    board.on_leave = once(NET, lambda data: [data, more])
    with pytest.raises(HalfsilverError, match="copies came that belong to no frame, [0-9]+, the first 0a00"):
        engine_on(board).process(batch())


@pytest.mark.parametrize("mark", ["bad", "dropped"])
def test_marks_that_no_host_can_send_are_refused(mark):
    engine = engine_on(Board(POLICY))
    with pytest.raises(UsageError, match=f"frame 1 of the batch is marked {mark}"):
        engine.process([Frame(FRAMES[0], Direction.INGRESS, **{mark: True})])
    with pytest.raises(UsageError, match="has no bytes"):
        engine.process([Frame(b"", Direction.INGRESS)])


def test_a_policy_comes_first_and_close_gives_back():
    board = Board(POLICY)
    wires, released = memory_wires(board), []
    engine = CardEngine(board.card, *wires, name="board:test", release=lambda: released.append(1))
    with pytest.raises(UsageError, match="configure comes before process"):
        engine.process([])
    assert engine.identify().parameters["shortest_frame"] == 0
    engine.close()
    assert [wire.closed for wire in wires] == [True, True] and released == [1]


def test_over_sockets(tmp_path):
    """The same over the wires that a board has that is a process; and the board goes in the middle."""
    board = Board(POLICY)
    frames = batch(300)
    with on_sockets(board, tmp_path) as (net, host):
        engine = CardEngine(board.card, open_wire(net), open_wire(host), name="board:test", patience=2.0)
        with closing(engine):
            engine.configure(POLICY)
            assert not compare(golden_of(frames), engine.process(frames))
            board.take = lambda side, data: []
            with pytest.raises(HalfsilverError, match="not all reached the card"):
                engine.process(frames)


def test_a_board_that_goes_is_said(tmp_path):
    board = Board(POLICY)
    with on_sockets(board, tmp_path) as (net, host):
        engine = CardEngine(board.card, open_wire(net), open_wire(host), name="board:test", patience=PATIENCE)
        engine.configure(POLICY)
    with closing(engine), pytest.raises(CardUnreachable, match="the board went away") as raised:
        engine.process(batch(10))
    assert raised.value.exit_code == EXIT_BOARD
