"""Requests as bytes, and what is not sent at all."""

from collections.abc import Callable

import pytest

from pgpool_recovery.pcp.client import request
from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery.pcp.client.request import Request

BYTES = [
    (request.ask_node_count(), "L", b"", "l"),
    (request.ask_node_info(1), "I", b"1\0", "i"),
    (request.ask_all_node_infos(), "I", b"-1\0", "i"),
    (request.ask_health_check_stats(1), "H", b"1\0", "h"),
    (request.ask_child_pids(), "N", b"", "n"),
    (request.ask_pool_processes(0), "P", b"0\0", "p"),
    (request.ask_watchdog_info(-1), "W", b"-1\0", "w"),
    (request.ask_pool_status(), "B", b"", "b"),
    (request.detach_node(1), "D", b"1\0", "d"),
    (request.detach_node(1, gracefully=True), "d", b"1\0", "d"),
    (request.attach_node(127), "C", b"127\0", "c"),
    (request.recover_node(1), "O", b"1\0", "c"),
    (request.promote_node(1, (4, 2)), "J", b"1\0", "d"),
    (request.promote_node(1, (4, 0), gracefully=True), "j", b"1\0", "d"),
    (request.promote_node(1, (4, 3)), "J", b"1 \0n", "d"),
    (request.promote_node(12, (4, 7), switchover=True), "J", b"12 \0s", "d"),
    (request.promote_node(1, (5, 0), gracefully=True, switchover=True), "j", b"1 \0s", "d"),
    (request.stop_pgpool(), "T", b"s", "t"),
    (request.stop_pgpool("fast", cluster=True), "t", b"f", "t"),
    (request.stop_pgpool("immediate"), "T", b"i", "t"),
    (request.reload_config(), "Z", b"l", "z"),
    (request.reload_config(cluster=True), "Z", b"c", "z"),
    (request.log_rotate(), "V", b"l", "v"),
    (request.invalidate_query_cache(), "G", b"", "g"),
    (request.set_client_min_messages("log"), "A", b"client_min_messages\0log\0", "a"),
]


@pytest.mark.parametrize(("asked", "letter", "payload", "answer"), BYTES)
def test_bytes(asked: Request, letter: str, payload: bytes, answer: str) -> None:
    assert (asked.letter, asked.payload, asked.answer) == (letter, payload, answer)
    assert 4 <= len(payload) + 4 < 260, "the server takes no longer one"


WRONG: list[Callable[[], Request]] = [
    lambda: request.ask_node_info(-1),
    lambda: request.detach_node(128),
    lambda: request.promote_node(-1, (4, 3)),
    lambda: request.promote_node(1, (4, 2), switchover=True),
    lambda: request.stop_pgpool("slow"),
    lambda: request.set_client_min_messages("log\0"),
    lambda: request.ask_pool_processes(1 << 31),
    lambda: request.ask_watchdog_info(-2),
]


@pytest.mark.parametrize("make", WRONG)
def test_what_makes_no_sense_is_not_sent(make: Callable[[], Request]) -> None:
    with pytest.raises(PcpError, match=r"is not valid|has no switchover") as caught:
        make()
    assert caught.value.sqlstate == "22023"
