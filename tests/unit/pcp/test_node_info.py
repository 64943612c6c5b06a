"""What is parsed about nodes, whatever release answers."""

import pytest

from pgpool_recovery.pcp.client.node_info import (
    all_node_infos,
    has_new_node_commands,
    one_node_info,
)
from pgpool_recovery.pcp.client.pcp_error import PcpError
from pgpool_recovery.pcp.client.request import ask_all_node_infos, ask_node_info
from tests.unit.pcp.conversation import reply_to
from tests.unit.pcp.node_streams import NODE_STREAMS, NodeStream
from tests.unit.pcp.stream import message, one, rows, strings


@pytest.mark.parametrize("form", NODE_STREAMS, ids=lambda form: form.releases)
def test_every_release_is_understood(form: NodeStream) -> None:
    reply = reply_to(ask_node_info(1), form.answer)
    info = one_node_info(reply, 1)
    assert (info.node_id, info.hostname, info.port) == (1, "server1", 5433)
    assert info.status == ("quarantine" if form.in_quarantine else "down")
    assert info.role == "standby"
    assert info.weight == pytest.approx(0.5)
    assert (info.lag_bytes, info.lag_s) == (form.lag_bytes, form.lag_s)
    assert (info.pg_status, info.pg_role) == (("down", "unknown") if form.is_array else (None,) * 2)
    states = (info.replication_state, info.replication_sync_state)
    assert states == (("streaming", "async") if form.has_states else (None, None))
    assert info.status_changed_at == (None if form.releases == "3.7" else 1795509016)
    assert has_new_node_commands(reply) is form.is_array


def test_recorded_bytes_of_4_3_5() -> None:
    """As sent by a real Pgpool-II: primary and standby with streaming replication."""
    first = (
        b"NodeInfo\x0010.77.0.11\x005432\x002\x000\0up\x001073741823.500000\x002\0primary\0"
        b"0\0\0\x001795509016\0"
    )
    second = (
        b"NodeInfo\x0010.77.0.12\x005432\x001\x000\0up\x001073741823.500000\x003\0standby\0"
        b"0\0streaming\0async\x001795509016\0"
    )
    bodies = [b"ArraySize\x002\0", first, second, b"CommandComplete\0"]
    reply = reply_to(ask_all_node_infos(), b"".join(message("i", body) for body in bodies))
    primary, standby = all_node_infos(reply)
    assert (primary.node_id, primary.status, primary.role) == (0, "up", "primary")
    assert primary.replication_state is None
    assert (standby.node_id, standby.status, standby.replication_state) == (
        1,
        "waiting",
        "streaming",
    )
    assert primary.is_attached
    assert standby.is_attached


NEWEST = NODE_STREAMS[-1].fields


def with_field(position: int, text: str) -> bytes:
    return rows("i", "NodeInfo", (*NEWEST[:position], text, *NEWEST[position + 1 :]))


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (one("i", *"abcdef"), "A node has 6 fields; known forms have 5, 7, 8, 9, 10."),
        (
            rows("i", "NodeInfo", tuple("abcde")),
            "A node has 5 fields; known forms have 11, 12, 13.",
        ),
        (with_field(1, "54x"), "The field \"port\" is '54x', which is not a number."),
        (with_field(1, "9" * 5000), f"The field \"port\" is '{'9' * 40} ...', which is"),
        (rows("i", "NodeInfo"), "The answer about one node contains 0 nodes."),
        (rows("i", "NodeInfo", NEWEST, NEWEST), "The answer about one node contains 2 nodes."),
        (
            message("i", strings("ArraySize", 2))
            + message("i", strings("NodeInfo", *NEWEST))
            + one("i"),
            "The answer announces 2 nodes, but contains 1.",
        ),
    ],
)
def test_what_is_no_node_is_refused(answer: bytes, detail: str) -> None:
    with pytest.raises(PcpError) as caught:
        one_node_info(reply_to(ask_node_info(1), answer), 1)
    assert caught.value.sqlstate == "08P01"
    assert (caught.value.detail or "").startswith(detail)


@pytest.mark.parametrize("text", ["-nan", "nan", "inf", "-inf"])
def test_weight_where_pgpool_conf_sets_none(text: str) -> None:
    """Pgpool-II then divides by the sum of all weights, which is zero; the node still counts."""
    found = one_node_info(reply_to(ask_node_info(1), with_field(5, text)), 1)
    assert found.weight is None


@pytest.mark.parametrize(
    ("position", "text", "name", "expected"),
    [
        (2, "4", "status", "4"),
        (2, "syncing", "status", "syncing"),
        (6, "9", "role", "9"),
        (6, "leader", "role", "leader"),
        (4, "paused", "pg_status", "paused"),
        (5, "none", "weight", None),
        (5, "1e999", "weight", None),
        (9, "", "lag_bytes", None),
        (9, "9" * 5000, "lag_bytes", None),
        (12, "", "status_changed_at", None),
        (12, "\u0663", "status_changed_at", None),
    ],
)
def test_what_is_not_known_is_shown_as_it_is(
    position: int, text: str, name: str, expected: object
) -> None:
    """One field of one node must not make all commands fail."""
    found = one_node_info(reply_to(ask_node_info(1), with_field(position, text)), 1)
    assert getattr(found, name) == expected
    assert not found.is_attached
    assert (found.hostname, found.port) == ("server1", 5433)


@pytest.mark.parametrize("more", [("x",), ("", "7", "SELECT 1")], ids=len)
def test_fields_that_a_later_release_adds_are_passed_over(more: tuple[str, ...]) -> None:
    answer = rows("i", "NodeInfo", (*NEWEST, *more))
    known = one_node_info(reply_to(ask_node_info(1), rows("i", "NodeInfo", NEWEST)), 1)
    assert one_node_info(reply_to(ask_node_info(1), answer), 1) == known


def test_fields_that_a_later_release_puts_in_between_are_not_guessed() -> None:
    answer = rows("i", "NodeInfo", (*NEWEST[:6], "2", *NEWEST[6:]))
    with pytest.raises(PcpError) as caught:
        one_node_info(reply_to(ask_node_info(1), answer), 1)
    assert caught.value.detail == "A node has 14 fields; known forms have 11, 12, 13."
    assert "install a newer one" in str(caught.value.hint)
