"""Sign-ins end when they should, and there are never too many; who fails too often has to wait."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from halfsilver.harness.console.sign_ins import (
    FAILURES_PER_ADDRESS,
    FAILURES_PER_KEY,
    IDLE,
    LONGEST,
    MOST,
    MOST_PER_USER,
    MOST_WATCHED,
    WINDOW,
    Attempts,
    SignIns,
    check_key,
)
from halfsilver.harness.control.iam.access_keys import AccessKey
from halfsilver.harness.control.operations.call import Caller
from halfsilver.harness.control.operations.errors import ApiError


def key(user: str = "ann", secret: str = "s" * 40) -> AccessKey:
    caller = Caller("123456789012", f"arn:aws:iam::123456789012:user/{user}", f"AIDA{user}", user)
    return AccessKey(f"AKIA{user}", secret, caller)


@dataclass
class Keys:
    """Access keys by id."""

    all: dict[str, AccessKey] = field(default_factory=dict)

    def find(self, key_id: str) -> AccessKey | None:
        return self.all.get(key_id)

    def add(self, each: AccessKey) -> AccessKey:
        self.all[each.id] = each
        return each


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_ins(keys: Keys, clock: Clock) -> SignIns:
    return SignIns(keys, clock)


def test_the_secret_and_nothing_else_signs_in(keys: Keys):
    ann = keys.add(key())
    assert check_key(keys, ann.id, ann.secret) is ann
    for claimed in ("", ann.secret[:-1], ann.secret + "s", ann.secret.upper(), "ä"):
        assert check_key(keys, ann.id, claimed) is None
    assert check_key(keys, "AKIAnobody", "") is None


def test_a_token_is_its_users_until_it_is_ended(keys: Keys, sign_ins: SignIns):
    token, other = sign_ins.start(keys.add(key())), sign_ins.start(keys.add(key("bob")))
    found = sign_ins.find(token)
    assert found is not None and found.key.caller.user_name == "ann"
    assert sign_ins.find(token[:-1]) is None and sign_ins.find("\udcff") is None
    sign_ins.end(token)
    assert sign_ins.find(token) is None and sign_ins.find(other) is not None


def test_it_ends_when_it_is_not_used_and_after_half_a_day(keys: Keys, clock: Clock, sign_ins: SignIns):
    token, start = sign_ins.start(keys.add(key())), clock.now
    while clock.now - start < LONGEST - IDLE:
        clock.now += IDLE - 1
        assert sign_ins.find(token) is not None
    clock.now = start + LONGEST
    assert sign_ins.find(token) is None
    token = sign_ins.start(key())
    clock.now += IDLE
    assert sign_ins.find(token) is None


def test_a_page_that_is_left_open_is_no_use_of_it(keys: Keys, clock: Clock, sign_ins: SignIns):
    token = sign_ins.start(keys.add(key()))
    clock.now += IDLE - 1
    assert sign_ins.find(token, used=False) is not None
    clock.now += 1
    assert sign_ins.find(token, used=False) is None


@pytest.mark.parametrize("change", [None, key(secret="t" * 40)], ids=["inactive", "another secret"])
def test_it_ends_with_its_key(keys: Keys, sign_ins: SignIns, change: AccessKey | None):
    token = sign_ins.start(keys.add(key()))
    keys.all = {} if change is None else {change.id: change}
    assert sign_ins.find(token) is None
    keys.add(key())
    assert sign_ins.find(token) is None, "it does not come back"


def test_a_user_has_a_few_and_all_have_a_bounded_number(keys: Keys, sign_ins: SignIns):
    first, *others = [sign_ins.start(keys.add(key())) for _ in range(MOST_PER_USER + 1)]
    assert sign_ins.find(first) is None and all(sign_ins.find(each) for each in others)
    crowd = [sign_ins.start(keys.add(key(f"u{number}"))) for number in range(MOST)]
    assert not any(sign_ins.find(each) for each in others) and all(sign_ins.find(each) for each in crowd)


def admitted(attempts: Attempts, address: str, key_id: str) -> bool:
    try:
        attempts.admit(address, key_id)
    except ApiError as error:
        assert error.status == 429
        return False
    return True


def test_an_address_has_to_wait(clock: Clock):
    attempts = Attempts(clock)
    for number in range(FAILURES_PER_ADDRESS):
        assert admitted(attempts, "192.0.2.1", "AKIA")
        attempts.failed("192.0.2.1", f"AKIA{number}")
    assert not admitted(attempts, "192.0.2.1", "AKIA") and admitted(attempts, "192.0.2.2", "AKIA")
    clock.now += WINDOW
    assert admitted(attempts, "192.0.2.1", "AKIA")


def test_addresses_of_one_ipv6_network_are_one(clock: Clock):
    attempts = Attempts(clock)
    for number in range(FAILURES_PER_ADDRESS):
        attempts.failed(f"2001:db8::{number:x}", f"AKIA{number}")
    assert not admitted(attempts, "2001:db8::ffff:1", "AKIA") and admitted(attempts, "2001:db8:0:1::1", "AKIA")


def test_a_key_that_many_addresses_try_has_to_wait(clock: Clock):
    attempts = Attempts(clock)
    for number in range(FAILURES_PER_KEY):
        attempts.failed(f"192.0.2.{number}", "AKIA")
    assert not admitted(attempts, "198.51.100.1", "AKIA") and admitted(attempts, "198.51.100.1", "AKIAOTHER")


def test_failures_take_a_bounded_place(clock: Clock):
    attempts = Attempts(clock)
    for number in range(MOST_WATCHED):
        attempts.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", f"AKIA{number}")
    assert len(attempts._failures) == MOST_WATCHED
