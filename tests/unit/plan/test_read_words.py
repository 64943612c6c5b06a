"""A case that is not exactly right is an error: it would test something else."""

from pathlib import Path

import pytest

from tests.unit.plan.case import read_case

HEAD = 'title = "A title"\n'
REFUSED = '\n[expect]\nexit_status = 4\nrefused = [{ message = "no" }]\n'


def test_defaults_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text(HEAD + REFUSED)
    assert read_case(file).facts.target.data.size_bytes == 10 * 2**30


WRONG = {
    'target.control = { redo = "0/5" }\ntarget.control.timeline = 1': "is not TOML",
    "slots = []": "unknown: slots",
    'primary.redo = "0/1"': "unknown: redo",
    'primary.major = "15"': "'15' is not of type int",
    "primary.timeline = 0": "the first timeline is 1",
    "primary.slots = [{ name = 5 }]": "5 is not of type str",
    'target.busy = "no"': "'no' is not of type bool",
    "target.process = true": "True is not of type int | None",
    "target.size = 10": "10 is not of type str",
    'target.size = "10 GiB"': '"10 GiB" is not a size such as "10 GB"',
    'target.contents = "fish"': "target.contents",
    'target.backup_label = "0/5"': "is not a position such as",
    'primary.written = "5"': '"5" is not a WAL position',
    'primary.oldest_wal = "0/1"': "oldest_wal is where a WAL segment begins",
    'policy.methods = ["walk"]': "in policy.methods",
    'primary.history = [{ timeline = 1, left_at = "0/1" }]': "the primary goes backwards",
    'target.control.state = "shut down"\n'
    'target.control.minimum_recovery_end = "0/6 on timeline 1"': "there is no minimum recovery end",
    'target.control.redo = "0/6000000"\n'
    'target.control.minimum_recovery_end = "0/6 on timeline 1"': "end lies before REDO",
    "target.control.timeline = 2": "end lies before REDO",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, text: str) -> None:
    assert WRONG[text] in complaint(tmp_path, HEAD + text + REFUSED)


def test_title_and_expectation_have_to_be_there(tmp_path: Path) -> None:
    assert "missing: title" in complaint(tmp_path, REFUSED)
    assert "missing: expect" in complaint(tmp_path, HEAD)
    assert "missing: steps" in complaint(tmp_path, f'{HEAD}[expect]\nmethod = "attach"')


def complaint(directory: Path, text: str) -> str:
    file = directory / "case.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"case\.toml") as raised:
        read_case(file)
    return str(raised.value)
