"""What several ``aws ec2 describe-*`` commands printed, each into its own file, is one policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from halfsilver.harness.policy.joining import join
from halfsilver.harness.policy.policy import Policy, PolicyError
from tests.harness.commands.cli_kit import DOCUMENTS, mirror_it, output_of, run, write_capture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file for each list, as the commands print them."""
    place = tmp_path / "aws"
    place.mkdir()
    for name, value in DOCUMENTS.items():
        (place / f"{name}.json").write_text(json.dumps({name: value, "NextToken": None}))
    return place


def test_a_folder_is_the_policy_that_its_files_are(folder: Path) -> None:
    assert Policy.load(folder).interfaces == Policy.from_documents(DOCUMENTS).interfaces


def test_check_takes_files_and_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in sorted(folder.iterdir())]
    assert output_of(capsys, "check", *files).endswith("0 errors, 0 warnings\n")
    assert output_of(capsys, "check", str(folder)).endswith("aws: 0 errors, 0 warnings\n")
    assert "is not in TrafficMirrorTargets" in output_of(capsys, "check", *files[:3], code=1)


def test_mirror_takes_a_folder_and_spares_its_files(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = write_capture(tmp_path)
    assert mirror_it((capture, str(folder))) == 0
    capsys.readouterr()
    assert mirror_it((capture, str(folder)), "--verdicts", str(folder / "NetworkInterfaces.json")) == 2
    assert "is the file that -c reads" in capsys.readouterr().err


def test_rules_printed_apart_are_left_out_if_their_filters_have_them() -> None:
    rules = DOCUMENTS["TrafficMirrorFilters"][0]["IngressFilterRules"]
    joined, problems = join([("a", DOCUMENTS), ("b", {"TrafficMirrorFilterRules": rules})])
    assert not problems and joined == DOCUMENTS
    stray = {**rules[0], "TrafficMirrorFilterRuleId": "tmfr-99"}
    joined, _ = join([("a", DOCUMENTS), ("b", {"TrafficMirrorFilterRules": [stray]})])
    with pytest.raises(PolicyError, match="TrafficMirrorFilterRules: is not read"):
        Policy.from_documents(joined)


def test_pages_of_one_list() -> None:
    one, two = ({"NetworkInterfaces": [each]} for each in DOCUMENTS["NetworkInterfaces"])
    rest = {name: value for name, value in DOCUMENTS.items() if name != "NetworkInterfaces"}
    assert join([("1", one), ("2", two), ("again", two), ("rest", rest)]) == (DOCUMENTS, [])
    changed = {"NetworkInterfaces": [{**DOCUMENTS["NetworkInterfaces"][0], "Description": "another"}]}
    joined, _ = join([("1", DOCUMENTS), ("2", changed)])
    with pytest.raises(PolicyError, match="eni-10 is that of NetworkInterfaces.0. eni-10 already"):
        Policy.from_documents(joined)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '{"name": "x"}',
            'aws/bad.json: must be a JSON object with a list such as NetworkInterfaces, .* not one with "n',
        ),
        ("[]", "aws/bad.json: must be a JSON object with a list such .* not a list"),
        ('{"NetworkInterfaces": {}}', "aws/bad.json: NetworkInterfaces must be a list, not an object"),
        ("{", "aws/bad.json: line 1 column 2: is not JSON"),
    ],
)
def test_a_file_that_is_not_what_aws_prints(folder: Path, text: str, says: str) -> None:
    (folder / "bad.json").write_text(text)
    if "must be a list" in says:
        (folder / "zz.json").write_text(json.dumps({"NetworkInterfaces": {}}))
    with pytest.raises(PolicyError, match=says.replace("bad.json: Net", "(bad|zz).json: Net")):
        Policy.load(folder)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="is a folder without a .json file"):
        Policy.load(tmp_path)


def test_init_joins(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "joined.json"
    text = output_of(capsys, "init", "--from-aws", str(folder), "-o", str(output), write_capture(tmp_path))
    assert json.loads(output.read_text()) == DOCUMENTS
    assert "2 NetworkInterfaces" in text and "from 4 files" in text and "7 frames: 2 copied" in text
    assert text.splitlines()[-1].startswith("next: halfsilver mirror -r ")


def test_init_joins_or_proposes(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = ["-o", str(tmp_path / "out.json")]
    for wrong, says in (
        (["--from-aws", str(folder), "--minimal", *output], "--from-aws takes the policy as AWS has it"),
        (output, "wants a CAPTURE"),
        (["--from-aws", str(folder), "-o", str(folder / "NetworkInterfaces.json"), "--force"], "--from-aws reads"),
    ):
        assert run("init", *wrong) == 2
        assert says in capsys.readouterr().err
    (folder / "TrafficMirrorTargets.json").unlink()
    assert run("init", "--from-aws", str(folder), "-o", str(tmp_path / "out.json")) == 2
    assert "is not in TrafficMirrorTargets" in capsys.readouterr().err and not (tmp_path / "out.json").exists()
