"""PCP with any bytes: any split means the same, and noise always ends in the same kind of error."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from pgpool_recovery.pcp.client.digest import PasswordDigest
from pgpool_recovery.pcp.client.frame import Frame, FrameBuffer, encode_frame
from pgpool_recovery.pcp.client.health_check import health_check_stats_of, node_count_of
from pgpool_recovery.pcp.client.node_info import (
    ARRAY_FORMS,
    NodeInfo,
    all_node_infos,
    one_node_info,
)
from pgpool_recovery.pcp.client.node_info import FORMS as FORMS_OF_ONE
from pgpool_recovery.pcp.client.pass_file import password_in_text
from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery.pcp.client.pool_process import (
    child_pids_of,
    pool_parameters_of,
    pool_processes_of,
)
from pgpool_recovery.pcp.client.reply import Reply
from pgpool_recovery.pcp.client.request import (
    Request,
    ask_all_node_infos,
    ask_child_pids,
    ask_health_check_stats,
    ask_node_count,
    ask_node_info,
    ask_pool_processes,
    ask_pool_status,
    ask_watchdog_info,
    set_client_min_messages,
)
from pgpool_recovery.pcp.client.watchdog import watchdog_info_of
from tests.unit.pcp.conversation import outcome
from tests.unit.pcp.node_streams import NODE_STREAMS, NodeStream
from tests.unit.pcp.stream import LOGIN, message, notice, one, rows, said, strings

READERS: list[tuple[Request, Callable[[Reply], Any]]] = [
    (ask_node_count(), node_count_of),
    (ask_node_info(1), lambda reply: one_node_info(reply, 1)),
    (ask_all_node_infos(), all_node_infos),
    (ask_health_check_stats(1), health_check_stats_of),
    (ask_child_pids(), child_pids_of),
    (ask_pool_processes(0), pool_processes_of),
    (ask_pool_status(), pool_parameters_of),
    (ask_watchdog_info(-1), watchdog_info_of),
]
LETTERS = "abcdghilmnprtvwzEN"
NODES = rows("i", "NodeInfo", *[stream.fields for stream in NODE_STREAMS[-2:]])
NOTICES = st.lists(st.builds(lambda text: notice(S="LOG", M=text), st.text("ab\u00e4")), max_size=3)
ENDS = st.sampled_from([NODES, said("failed", detail="why"), one("i"), b"HTTP/1.1", NODES[:-1]])

WORDS = st.sampled_from(
    [
        *("CommandComplete", "ArraySize", "NodeInfo", "ProcessInfo", "ProcessConfig"),
        *("AuthenticationOK", "0", "1", "2", "-1", "up", "1073741823.5", "{}", "", "streaming"),
    ]
)
FIELDS = st.lists(WORDS | st.text(max_size=5).filter(lambda text: "\0" not in text), max_size=24)
PAYLOADS = st.builds(lambda fields: strings(*fields), FIELDS) | st.binary(max_size=40)
MESSAGES = st.builds(message, st.sampled_from(LETTERS), PAYLOADS)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data, cut at these positions."""
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@given(NOTICES, NOTICES, ENDS, st.lists(st.integers(0, 10**6), max_size=30))
def test_any_split_means_the_same(
    before: list[bytes], within: list[bytes], end: bytes, cuts: list[int]
) -> None:
    stream = b"".join([LOGIN, *before, one("a"), *within, end])
    asked, setting = ask_all_node_infos(), set_client_min_messages("log")
    whole = outcome(asked, [stream], setting)
    assert outcome(asked, pieces(stream, cuts), setting) == whole
    assert outcome(asked, [bytes([byte]) for byte in stream], setting) == whole
    assert len(whole[0]) == len(before) + len(within)
    assert (whole[1] is not None) is (end in (NODES, one("i")))


def answer_or_failure(position: int, stream: bytes) -> None:
    """Assert that a stream leads to an answer, a wait for more, or PcpError."""
    request, read = READERS[position]
    _, reply, failure = outcome(request, [stream])
    assert reply is None or failure is None
    if reply is not None:
        with suppress(PcpError):
            read(reply)


@given(st.integers(0, len(READERS) - 1), st.binary(max_size=200))
@example(0, b"")
def test_noise_before_the_login(position: int, noise: bytes) -> None:
    answer_or_failure(position, noise)


@given(st.integers(0, len(READERS) - 1), st.lists(MESSAGES, max_size=6))
def test_messages_in_any_order(position: int, messages: list[bytes]) -> None:
    answer_or_failure(position, LOGIN + b"".join(messages))


@given(st.integers(0, len(READERS) - 1), st.lists(FIELDS, max_size=4), st.data())
def test_fields_of_any_kind_in_an_answer_of_the_right_form(
    position: int, found: list[list[str]], data: st.DataObject
) -> None:
    request, _ = READERS[position]
    if request.row_tag is not None and data.draw(st.booleans()):
        stream = rows(request.answer, request.row_tag, *map(tuple, found))
    else:
        stream = one(request.answer, *(found[0] if found else []))
    answer_or_failure(position, LOGIN + stream)


ODD = st.sampled_from(["", "-nan", "2", "0", "primary", "leader", "1.5", "1795509016"])
ODD_BYTES = ODD.map(str.encode) | st.binary(max_size=8).map(lambda data: data.replace(b"\0", b""))
FORMS = st.sampled_from(NODE_STREAMS)


def node_answer(form: NodeStream, fields: list[bytes]) -> bytes:
    """Return an answer about one node, made of bytes, framed as a release does."""
    body = b"".join(field + b"\0" for field in fields)
    if not form.is_array:
        return message("i", b"CommandComplete\0" + body)
    array = [message("i", strings("ArraySize", 1)), message("i", b"NodeInfo\0" + body)]
    return b"".join([*array, one("i")])


def node_or_none(answer: bytes) -> NodeInfo | None:
    """Return the node of an answer; None if it is refused because it cannot be understood."""
    request = ask_node_info(1)
    _, reply, failure = outcome(request, [LOGIN + answer])
    assert failure is None
    assert reply is not None
    with suppress(PcpError):
        return one_node_info(reply, 1)
    return None


@given(FORMS, st.data())
def test_a_field_of_any_bytes_fails_nothing_but_where_the_node_is(
    form: NodeStream, data: st.DataObject
) -> None:
    """Unknown values are shown; a node that is not understood is never taken for another."""
    fields = [field.encode() for field in form.fields]
    position = data.draw(st.integers(0, len(fields) - 1).filter(lambda at: at != 1))
    fields[position] = data.draw(ODD_BYTES)
    found = node_or_none(node_answer(form, fields))
    assert found is not None
    assert found.port == 5433
    changed = [name for name in ("status", "role") if getattr(found, name) not in KNOWN_OF_STREAMS]
    assert len(changed) <= 1


KNOWN_OF_STREAMS = ("down", "quarantine", "standby")


@given(FORMS, st.lists(ODD_BYTES, min_size=1, max_size=4))
def test_fields_that_are_added_behind_change_nothing(form: NodeStream, more: list[bytes]) -> None:
    fields = [field.encode() for field in form.fields]
    known = node_or_none(node_answer(form, fields))
    found = node_or_none(node_answer(form, [*fields, *more]))
    if len(form.fields) in (max(FORMS_OF_ONE), max(ARRAY_FORMS)):
        assert found == known


@given(FORMS, st.data())
def test_a_field_that_is_put_in_between_makes_no_other_node_of_it(
    form: NodeStream, data: st.DataObject
) -> None:
    """It never becomes a node of another role, which might be promoted, or one that is in use."""
    assume(len(form.fields) in (max(FORMS_OF_ONE), max(ARRAY_FORMS)))
    fields = [field.encode() for field in form.fields]
    fields.insert(data.draw(st.integers(1, len(fields) - 1)), data.draw(ODD_BYTES))
    found = node_or_none(node_answer(form, fields))
    if found is not None:
        assert found.role == "standby"
        assert not found.is_attached


@given(FORMS, st.data())
def test_a_field_that_is_missing_of_the_oldest_form_is_refused(
    form: NodeStream, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, 10 if form.is_array else 4))
    assert node_or_none(node_answer(form, [b"1"] * count)) is None


@given(st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_in_a_good_answer(position: int, byte: int) -> None:
    stream = bytearray(LOGIN + NODES)
    stream[position % len(stream)] = byte
    answer_or_failure(2, bytes(stream))


@given(st.lists(st.tuples(st.sampled_from(LETTERS), st.binary(max_size=50)), max_size=5))
def test_messages_come_out_as_they_went_in(frames: list[tuple[str, bytes]]) -> None:
    buffer = FrameBuffer()
    buffer.feed(b"".join(encode_frame(*frame) for frame in frames))
    assert [buffer.take() for _ in frames] == [Frame(*frame) for frame in frames]
    assert buffer.take() is None
    assert not buffer.is_inside_frame


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


NAMES = st.text("ab:\\*", min_size=1, max_size=6).filter(lambda text: text != "*")


@given(NAMES, NAMES, st.text("ab:\\* ", max_size=6))
def test_pass_file_gives_back_what_was_escaped(host: str, user: str, password: str) -> None:
    line = ":".join([escaped(host), "9898", escaped(user), escaped(password)])
    assert password_in_text(line, [host], "9898", user) == password
    assert password_in_text(line, [host + "x"], "9898", user) is None
    assert password_in_text(line, [host], "9898", user + "x") is None


@given(st.text("ab:\\*\n\0 ", max_size=80))
def test_pass_file_of_any_text(text: str) -> None:
    found = password_in_text(text, ["a"], "1", "b")
    assert found is None or isinstance(found, str)


@given(st.text(max_size=20), st.binary(min_size=4, max_size=4))
def test_proof_depends_on_password_user_and_salt(password: str, salt: bytes) -> None:
    digest = PasswordDigest.of_password(password)
    other = PasswordDigest.of_password(password + "x")
    proofs = {
        digest.proof("a", salt),
        digest.proof("b", salt),
        other.proof("a", salt),
        digest.proof("a", bytes([salt[0] ^ 1]) + salt[1:]),
    }
    assert len(proofs) == 4
