"""The name under which a node streams after its recovery, and the note if it may be wrong."""

from dataclasses import replace

import pytest

from pgpool_recovery.facts.facts import Configuration, Stream
from pgpool_recovery.plan.standby_name import notes_on_name, standby_name
from tests.unit.plan.situation import TARGET, primary, target

HOST = "server2"


def own(conninfo: dict[str, str], cluster_name: str | None = None) -> Configuration:
    made = target().configuration
    assert made is not None
    values = made.values if cluster_name is None else {**made.values, "cluster_name": cluster_name}
    return replace(made, primary_conninfo=conninfo, values=values)


@pytest.mark.parametrize(
    ("conninfo", "cluster_name", "awaited", "expected"),
    [
        ({"host": "a", "application_name": "s1"}, "c1", "c1", "s1"),
        ({"host": "a"}, "c1", "", "c1"),
        ({"host": "a"}, None, "other", "walreceiver"),
        ({"host": "a"}, "", "other", "walreceiver"),
        ({}, "c1", 'ANY 1 (x, "C1")', "c1"),
        ({}, "c1", "*", HOST),
        ({}, "15/main", f"FIRST 1 ({HOST})", HOST),
        ({}, None, "", HOST),
    ],
)
def test_what_the_node_was_it_stays(
    conninfo: dict[str, str], cluster_name: str | None, awaited: str, expected: str
) -> None:
    facts = primary(synchronous_standby_names=awaited)
    assert standby_name(replace(TARGET, host=HOST), own(conninfo, cluster_name), facts) == expected


def test_node_without_a_configuration_has_the_name_that_the_samples_give() -> None:
    facts = primary(synchronous_standby_names="other")
    assert standby_name(replace(TARGET, host=HOST), None, facts) == HOST
    assert standby_name(replace(TARGET, host="/run"), None, facts) == TARGET.slot_name


@pytest.mark.parametrize(
    ("awaited", "streaming", "is_told"),
    [
        ("standby_b", [], True),
        ("standby_b", ["standby_b"], False),
        ("ANY 1 (standby_b, standby_c)", ["standby_c"], False),
        ("2 (standby_b, standby_c)", ["standby_c"], True),
        ("SERVER2, standby_b", [], False),
        ("2 (*)", [], True),
        ("*", [], False),
        ("", [], False),
    ],
)
def test_plan_says_for_whom_commits_go_on_waiting(
    awaited: str, streaming: list[str], *, is_told: bool
) -> None:
    streams = tuple(Stream(None, "192.0.2.9", name) for name in streaming)
    facts = primary(synchronous_standby_names=awaited, streams=streams)
    said = list(notes_on_name("node 1", HOST, facts))
    assert bool(said) is is_told
    assert all('will stream as "server2"' in note for note in said)
    if awaited == "2 (standby_b, standby_c)":
        assert '"standby_b"' in said[0]
        assert "standby_c" not in said[0]
