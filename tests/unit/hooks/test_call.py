"""The arguments of a hook, as Pgpool-II and a shell pass them."""

import shlex

import pytest

from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.hooks.call import PLACEHOLDERS, WORDS, parse_call

VALUES = {
    "%d": " 0",
    "%h": "server0",
    "%p": " 5432",
    "%D": "/data of 0",
    "%m": " 1",
    "%H": "/run/my sockets",
    "%M": "0",
    "%P": "0",
    "%r": "5433",
    "%R": "/data/1",
    "%N": "server0",
    "%S": "5432",
}


def words_of(values: dict[str, str]) -> list[str]:
    """Return what our command gets once Pgpool-II has put its values into the shell command."""
    line = WORDS
    for placeholder in PLACEHOLDERS:
        line = line.replace(f'"{placeholder}"', f'"{values[placeholder]}"')
    return shlex.split(line)


def test_all_values() -> None:
    call = parse_call("failover", words_of(VALUES))
    assert (call.node_id, call.node.host, call.node.port) == (0, "server0", 5432)
    assert call.node.data_directory == "/data of 0"
    assert (call.new_id, call.new.host, call.new.port) == (1, "/run/my sockets", 5433)
    assert call.new.data_directory == "/data/1"
    assert (call.old_main_id, call.old_primary_id) == (0, 0)
    assert (call.old_primary.host, call.old_primary.port) == ("server0", 5432)


def test_no_node_is_left() -> None:
    """Pgpool-II writes two quotes, within ours, for a value that it does not have."""
    nothing = dict.fromkeys(("%H", "%r", "%R"), '""')
    call = parse_call("failover", words_of(VALUES | {"%m": " -1"} | nothing))
    assert call.new_id is None
    assert (call.new.host, call.new.port, call.new.data_directory) == ("", None, "")


@pytest.mark.parametrize("unknown", ["-1", " -1", ""])
def test_primary_that_is_not_known(unknown: str) -> None:
    assert parse_call("failover", words_of(VALUES | {"%P": unknown})).old_primary_id is None


@pytest.mark.parametrize(
    ("placeholder", "word"),
    [
        ("%d", "-1"),
        ("%d", "one"),
        ("%d", "128"),
        ("%m", "1 2"),
        ("%p", "0"),
        ("%r", "65536"),
        ("%h", "-oProxyCommand=x"),
        ("%H", "two words"),
        ("%N", "a\tb"),
        ("%H", "/run/\x01"),
    ],
)
def test_words_that_make_no_sense(placeholder: str, word: str) -> None:
    words = [word if each == placeholder else VALUES[each] for each in PLACEHOLDERS]
    with pytest.raises(UsageError, match="invalid"):
        parse_call("failover", words)


@pytest.mark.parametrize("number", [0, 11, 13])
def test_number_of_words(number: int) -> None:
    with pytest.raises(UsageError, match=f"takes 12 arguments, not {number}") as caught:
        parse_call("follow_primary", ["1"] * number)
    assert caught.value.hint is not None
    assert f"follow_primary_command = 'pgpool-recovery follow_primary {WORDS}'" in caught.value.hint


def test_ten_words_of_the_samples() -> None:
    """The sample pgpool.conf has no %N and %S for follow_primary_command."""
    whole = words_of(VALUES)
    command = "follow_primary"
    call, of_all = parse_call(command, whole[:10]), parse_call(command, whole)
    assert (call.node, call.new, call.old_primary_id) == (of_all.node, of_all.new, 0)
    assert call.old_primary.host == ""
    for wrong in (9, 11):
        with pytest.raises(UsageError, match=f"takes 12 arguments, not {wrong}"):
            parse_call(command, whole[:wrong])
    with pytest.raises(UsageError, match="takes 12 arguments, not 10"):
        parse_call("failover", whole[:10])
