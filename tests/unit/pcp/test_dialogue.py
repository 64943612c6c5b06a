"""The order of a dialogue, its login, and everything that can go wrong in it."""

import hashlib

import pytest

from pgpool_recovery.pcp.client.dialogue import Dialogue
from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.frame import MAX_PAYLOAD_BYTES, Frame, FrameBuffer
from pgpool_recovery.pcp.client.pcp_error import Notice, PcpError
from pgpool_recovery.pcp.client.reply import MAX_ANSWER_BYTES, ReplyReader
from pgpool_recovery.pcp.client.request import (
    ask_node_count,
    ask_node_info,
    ask_pool_status,
    recover_node,
    set_client_min_messages,
)
from tests.unit.pcp.conversation import PASSWORD, outcome
from tests.unit.pcp.stream import LOGIN, SALT, message, notice, one, said, strings


def md5(data: bytes) -> bytes:
    return hashlib.md5(data).hexdigest().encode()  # noqa: S324


def test_one_thing_after_the_other() -> None:
    dialogue = Dialogue("pgpool", PASSWORD, recover_node(1), set_client_min_messages("log"))
    assert dialogue.take_outgoing() == message("M")
    assert dialogue.take_outgoing() == b"", "a salt serves one login only"
    list(dialogue.receive(message("m", SALT)))
    proof = md5(md5(md5(b"secret") + b"pgpool") + SALT)
    assert dialogue.take_outgoing() == message("R", b"pgpool\0" + proof + b"\0")
    list(dialogue.receive(message("r", strings("AuthenticationOK"))))
    setting = strings("client_min_messages", "log")
    assert dialogue.take_outgoing() == message("A", setting)
    list(dialogue.receive(one("a")))
    assert dialogue.take_outgoing() == message("O", b"1\0")
    live = [said.message for said in dialogue.receive(notice(S="LOG", C="00000", M="1st stage"))]
    assert live == ["1st stage"]
    assert dialogue.reply is None
    list(dialogue.receive(one("c")))
    assert dialogue.reply is not None


def test_digest_of_pcp_conf_is_as_good_as_the_password() -> None:
    stored = hashlib.md5("pässwort".encode(), usedforsecurity=False).hexdigest()
    found, made = PasswordDigest(stored), PasswordDigest.of_password("pässwort")
    assert found == made
    assert hash(found) == hash(made)
    assert found.proof("pgpool", SALT) == made.proof("pgpool", SALT)
    assert found != PASSWORD
    for wrong in ("", stored[1:], stored.upper(), f"md5{stored}"):
        with pytest.raises(PcpError, match="MD5 of a PCP password is not valid") as caught:
            PasswordDigest(wrong)
        assert stored[1:] not in str(vars(caught.value))


def test_notice_has_all_its_parts() -> None:
    sent = notice(S="LOG", C="00000", M="executing", D="command", H="none", F="recovery.c", L="1")
    notices, _, failure = outcome(ask_node_count(), [LOGIN, sent])
    assert failure is None
    assert notices == [Notice("LOG", "00000", "executing", "command", "none", "recovery.c", "1")]


def test_refusal_keeps_pgpools_words() -> None:
    refusal = said("process recovery request failed", detail="node id 7 is not valid")
    dialogue = Dialogue("pgpool", PASSWORD, recover_node(7))
    with pytest.raises(PcpError) as caught:
        list(dialogue.receive(LOGIN + refusal))
    error = caught.value
    assert (error.message, error.detail) == (
        "process recovery request failed",
        "node id 7 is not valid",
    )
    assert (error.sqlstate, error.hint) == ("XX000", None)
    assert error.answer is not None
    assert error.answer.severity == "ERROR"


def test_login_that_fails() -> None:
    refusal = said(
        'authentication failed for user "pgpool"',
        severity="FATAL",
        detail="username and/or password does not match",
    )
    dialogue = Dialogue("pgpool", PASSWORD, ask_node_count())
    with pytest.raises(PcpError) as caught:
        list(dialogue.receive(message("m", SALT) + refusal))
    assert caught.value.sqlstate == "28P01"
    assert "pcp.conf" in (caught.value.hint or "")


def test_notices_before_a_failure_are_told() -> None:
    stream = LOGIN + notice(S="LOG", M="one") + notice(S="LOG", M="two") + said("failed")
    notices, reply, failure = outcome(ask_node_count(), [stream])
    assert [one.message for one in notices] == ["one", "two"]
    assert reply is None
    assert failure == "failed: None"


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    """Pgpool-II truncates a message at 255 bytes, even within a character."""
    stream = LOGIN + message("N", b"SLOG\0MM\xc3\0\0") + one("l", 2)
    notices, reply, _ = outcome(ask_node_count(), [stream])
    assert notices[0].message == "M\ufffd"
    assert reply is not None


HOSTILE = {
    "another letter": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "length below its own": b"m\0\0\0\3",
    "negative length": b"m\xff\xff\xff\xff",
    "huge length": b"m\x7f\xff\xff\xff",
    "length just too long": b"m" + (MAX_PAYLOAD_BYTES + 5).to_bytes(4, "big"),
    "salt too short": message("m", b"abc"),
    "salt too long": message("m", b"abcde"),
    "login without a salt's proof": message("r", b"AuthenticationOK"),
    "another login": message("m", SALT) + message("r", strings("Something")),
    "answer before the login": one("l", 2),
    "notice without an end": message("N", b"SLOG\0Mx"),
    "notice without a message": message("N", b"SLOG\0\0"),
    "empty notice": message("N"),
    "error without a message": message("E", b"\0"),
    "PostgreSQL 2's error": b"EFATAL:  invalid length of startup packet\n\0",
    "answer to another request": LOGIN + one("i", 2),
    "row before its array": LOGIN + message("l", strings("NodeInfo", 2)),
    "array twice": LOGIN + 2 * message("i", strings("ArraySize", 2)),
    "answer without a NUL": LOGIN + message("l", b"CommandComplete"),
    "empty answer": LOGIN + message("l"),
}


@pytest.mark.parametrize("stream", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_stream(stream: bytes) -> None:
    dialogue = Dialogue("pgpool", PASSWORD, ask_node_count())
    with pytest.raises(PcpError) as caught:
        list(dialogue.receive(stream))
    assert caught.value.sqlstate == "08P01"
    assert caught.value.message == "Pgpool-II sent an answer that cannot be understood"
    assert (caught.value.detail or "").endswith(".")
    assert "pcp_port" in (caught.value.hint or "")


def test_what_cannot_be_a_message_is_not_waited_for() -> None:
    """A server that speaks another protocol may in turn be waiting for us."""
    for begun, detail in ((b"Q", "begins with 'Q'"), (b"m\0\0\0\3", "a length of 3 bytes")):
        buffer = FrameBuffer()
        buffer.feed(begun)
        with pytest.raises(PcpError) as caught:
            buffer.take()
        assert detail in (caught.value.detail or "")


def test_row_that_no_array_announced() -> None:
    stream = LOGIN + message("i", strings("NodeInfo", "server1"))
    _, _, failure = outcome(ask_node_info(1), [stream])
    assert "an unexpected part 'NodeInfo'" in str(failure)


def add_rows(row: bytes, count: int) -> None:
    reader = ReplyReader(ask_pool_status())
    reader.add(Frame("b", b"ArraySize\0\0\0\0\1"))
    for _ in range(count):
        reader.add(Frame("b", b"ProcessConfig\0" + row + b"\0"))


@pytest.mark.parametrize(("filling", "limit"), [(b"x", "8388608 bytes"), (b"\0", "786432 strings")])
def test_answer_without_an_end(filling: bytes, limit: str) -> None:
    row = filling * (MAX_PAYLOAD_BYTES - 15)
    with pytest.raises(PcpError) as caught:
        add_rows(row, MAX_ANSWER_BYTES // MAX_PAYLOAD_BYTES + 1)
    assert f"has more than {limit}" in (caught.value.detail or "")


def test_user_name_that_the_server_would_not_take() -> None:
    for user in ("", "a\0b", "ä" * 64):
        with pytest.raises(PcpError, match="user name is not valid"):
            Dialogue(user, PASSWORD, ask_node_count())


def test_secrets_do_not_show() -> None:
    dialogue = Dialogue("pgpool", PASSWORD, ask_node_count())
    list(dialogue.receive(message("m", SALT)))
    shown = f"{PASSWORD!r} {PASSWORD} {dialogue!r} {dialogue}"
    assert "secret" not in shown
    assert md5(b"secret").decode() not in shown
