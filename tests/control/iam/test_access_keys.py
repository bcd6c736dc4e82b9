"""The file of users: who may read it, what it may say, and that no secret comes out of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest

from halfsilver.harness.control.iam.access_keys import KeyStore, anonymous, create_user, write_credentials
from halfsilver.harness.control.operations.call import Caller
from halfsilver.harness.control.operations.errors import ApiError
from halfsilver.harness.errors import UsageError
from tests.control.kits.signing_kit import (
    ACCOUNT,
    ALLOW_ALL,
    KEY_ID,
    OTHER_ACCOUNT,
    SECRET,
    key_store,
    user,
    write_users,
)

SECOND = {"key_id": "AKIASECONDSECONDSECO", "secret": "0123456789abcdefghij0123456789abcdefghij"}


def refused(path: Path) -> str:
    """The one line with which the file is refused; it shows no secret."""
    with pytest.raises(UsageError) as caught:
        KeyStore(path)
    message = str(caught.value)
    assert "\n" not in message and SECRET not in message and str(path) in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return message


def test_users_are_found_by_their_keys(tmp_path: Path) -> None:
    keys = key_store(tmp_path, user(), user("bob", account=OTHER_ACCOUNT, **SECOND))
    found, other = keys.find(KEY_ID), keys.find(SECOND["key_id"])
    assert found is not None and other is not None and keys.find("AKIANOBODYNOBODYNOBO") is None
    assert found.caller == Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAANN", "ann")
    assert (other.secret, other.caller.account) == (SECOND["secret"], OTHER_ACCOUNT)


def test_the_partition_is_in_the_users_arn(tmp_path: Path) -> None:
    found = KeyStore(write_users(tmp_path / "keys", user()), partition="aws-cn").find(KEY_ID)
    assert found is not None and found.caller.arn == f"arn:aws-cn:iam::{ACCOUNT}:user/ann"


# Who may read it.


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_file_open_to_others_is_refused(mode: int, tmp_path: Path) -> None:
    path = write_users(tmp_path / "keys.json", user())
    path.chmod(mode)
    assert f"mode 0{mode:o}" in refused(path) and f"chmod 600 {path}" in refused(path)
    path.chmod(0o600)
    assert KeyStore(path).find(KEY_ID) is not None


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_users(tmp_path / "keys.json", user())
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to user {owner}, but this is user {owner + 1}" in refused(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "absent")
    assert "Is a directory" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "plain file" in refused(tmp_path / "pipe")


# What it may say.


def change(path: Path, **members: object) -> Path:
    return write_users(path, {**user(), **members})


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"Account": "1"}, "Users[0].Account"),
        ({"Account": 123456789012}, "Users[0].Account"),
        ({"UserName": "a b"}, "Users[0].UserName"),
        ({"UserName": ""}, "Users[0].UserName"),
        ({"UserId": None}, "Users[0].UserId"),
        ({"AccessKeys": {}}, "Users[0].AccessKeys"),
        ({"AccessKeys": [{"AccessKeyId": "short", "SecretAccessKey": SECRET}]}, "Users[0].AccessKeys[0].AccessKeyId"),
        ({"AccessKeys": [{"AccessKeyId": KEY_ID, "SecretAccessKey": "x"}]}, "Users[0].AccessKeys[0].SecretAccessKey"),
        ({"AccessKeys": [{"AccessKeyId": KEY_ID, "SecretAccessKey": [SECRET]}]}, "AccessKeys[0].SecretAccessKey"),
        ({"AccessKeys": [{"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Status": "on"}]}, "AccessKeys[0].Status"),
        (
            {"AccessKeys": [{"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET}] * 2},
            f"access key {KEY_ID} is there twice",
        ),
        ({"AccessKeys": [SECRET]}, "Users[0].AccessKeys[0]: must be a JSON object"),
        ({"Policies": [ALLOW_ALL]}, "Users[0].Policies[0]: may have the members"),
        (
            {"Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": {"Effect": "allow"}}}]},
            "Users[0].Policies[0] (p): Statement.Effect",
        ),
        ({"PermissionsBoundary": None}, "Users[0].PermissionsBoundary"),
        (
            {"PermissionBoundary": ALLOW_ALL},
            "'PermissionBoundary' is not known here; did you mean PermissionsBoundary?",
        ),
    ],
)
def test_malformed_users_are_refused_with_the_place(members: dict[str, object], where: str, tmp_path: Path) -> None:
    assert where in refused(change(tmp_path / "keys.json", **members))


def test_malformed_files(tmp_path: Path) -> None:
    path = write_users(tmp_path / "keys.json", user())
    whole = path.read_text()
    for text in (
        "",
        "[]",
        "{}",
        '{"Users": {}}',
        whole[:-1],
        whole + "x",
        '{"Users": [], "users": []}',
        "[" * 100_000,
        '{"Users": [], "Users": []}',
        whole.replace('"Account"', '"UserName": "eve", "Account"', 1),
        "\xff",
    ):
        path.write_text(text, encoding="latin-1")
        refused(path)
    assert "twice" in refused(write_users(path, user(), user(**SECOND)))


# Changes on the disk.


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    keys = key_store(tmp_path, user())
    ann = keys.find(KEY_ID)
    assert ann is not None and keys.policies(ann.caller).decide("ec2:X", "*", {}).allowed
    write_users(tmp_path / "keys.json", user(policies=()))
    assert not keys.policies(ann.caller).decide("ec2:X", "*", {}).allowed
    write_users(tmp_path / "keys.json", user("bob", **SECOND))
    assert keys.find(KEY_ID) is None and keys.find(SECOND["key_id"]) is not None
    assert not keys.policies(ann.caller).decide("ec2:X", "*", {}).allowed  # a user who is gone may do nothing


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.chmod(0o644),
        lambda path: path.unlink(),
        lambda path: path.write_text("{"),
        lambda path: write_users(path, {**user(), "Account": "1"}),
    ],
    ids=["open", "gone", "no JSON", "malformed"],
)
def test_while_a_changed_file_cannot_be_used_nobody_is_let_in(
    spoil: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = key_store(tmp_path, user())
    spoil(tmp_path / "keys.json")
    for _ in range(3):
        with pytest.raises(ApiError) as caught:
            keys.find(KEY_ID)
        assert (caught.value.code, caught.value.status) == ("ServiceUnavailable", 503)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "requests are refused" in said and SECRET not in said
    write_users(tmp_path / "keys.json", user())
    assert keys.find(KEY_ID) is not None


def test_readers_during_a_change_see_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = create_user(path, ACCOUNT, "first")
    keys, seen, done = KeyStore(path), set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(keys.find(key.id))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(20):
        create_user(path, ACCOUNT, f"user{number}")
    done.set()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 1 and None not in seen


# The first administrator.


def test_a_created_user_is_an_administrator_with_a_random_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = os.umask(0o777)
    try:
        key = create_user(path, ACCOUNT, "admin")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = create_user(path, OTHER_ACCOUNT, "admin")
    assert len({key.id, other.id}) == len({key.secret, other.secret}) == 2
    assert len(key.id) == 20 and len(key.secret) == 40
    keys = KeyStore(path)
    assert keys.find(key.id) == key and keys.find(other.id) == other
    assert keys.policies(key.caller).decide("ec2:DeleteEverything", "arn:aws:ec2:r:a:x/y", {}).allowed
    assert [name.name for name in tmp_path.iterdir()] == ["keys.json"]


def test_a_user_with_a_policy_of_its_own(tmp_path: Path) -> None:
    view = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}}
    key = create_user(tmp_path / "keys.json", ACCOUNT, "viewer", policy=view)
    policies = KeyStore(tmp_path / "keys.json").policies(key.caller)
    assert policies.decide("ec2:DescribeRegions", "*", {}).allowed
    assert not policies.decide("ec2:CreateTags", "*", {}).allowed


def test_what_cannot_be_created_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create_user(path, ACCOUNT, "admin")
    before = path.read_bytes()
    for account, name, policy in (
        (ACCOUNT, "admin", ALLOW_ALL),
        ("12", "x", ALLOW_ALL),
        (ACCOUNT, "a/b", ALLOW_ALL),
        (ACCOUNT, "x", {"Statement": []}),
    ):
        with pytest.raises(UsageError):
            create_user(path, account, name, policy=policy)
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="cannot be used as a folder"):
        create_user(tmp_path / "absent" / "keys.json", ACCOUNT, "admin")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        create_user(path, ACCOUNT, "second")


def test_users_created_at_once_are_all_there(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from halfsilver.harness.control.iam.access_keys import create_user\n"
        "for n in range(5): create_user(Path(sys.argv[1]), '123456789012', sys.argv[2] + str(n))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "keys.json"), name]) for name in ("a", "b")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    names = {each["UserName"] for each in json.loads((tmp_path / "keys.json").read_text())["Users"]}
    assert names == {f"{letter}{number}" for letter in "ab" for number in range(5)}


def test_clients_find_the_key_in_the_credentials_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials"
    key, second = (create_user(tmp_path / "keys.json", ACCOUNT, name) for name in ("admin", "second"))
    write_credentials(path, "default", key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text(path.read_text() + "# kept\nregion = eu-west-1")
    write_credentials(path, "second", second)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    for profile, expected in (("default", key), ("second", second)):
        found = boto3.Session(profile_name=profile).get_credentials()
        assert (found.access_key, found.secret_key) == (expected.id, expected.secret)
    assert "# kept" in path.read_text()
    before = path.read_bytes()
    for profile in ("second", "x]\n[y", ""):
        with pytest.raises(UsageError):
            write_credentials(path, profile, second)
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        write_credentials(path, "third", second)
    assert path.read_bytes() == before


def test_secrets_are_not_printed(tmp_path: Path) -> None:
    keys = key_store(tmp_path, user())
    key = keys.find(KEY_ID)
    assert SECRET not in f"{key!r} {key} {keys!r} {vars(keys)!r}"
    assert key is not None and key.secret == SECRET


def test_the_anonymous_administrator() -> None:
    caller = anonymous(ACCOUNT)
    assert (caller.account, caller.arn) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
