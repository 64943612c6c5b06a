"""The turns of the nodes: each pair once, no host twice at a time, and nobody waits in vain."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from pgpool_recovery.observe.turns import Turns

WITHIN_S = 20.0
SOON_S = 0.02


def trials(hosts: Sequence[str], reached: Sequence[bool]) -> tuple[list[tuple[int, int]], int]:
    """Let all nodes that were reached try the others; return the pairs, and the most at a host."""
    turns = Turns(hosts)
    tried: list[tuple[int, int]] = []
    now: Counter[str] = Counter()
    most = [0]
    lock = threading.Lock()

    def run(place: int) -> None:
        turns.arrive(place, is_reached=reached[place])
        if not reached[place]:
            return
        for other in turns.in_turn(place, time.monotonic() + WITHIN_S):
            with lock:
                tried.append((place, other))
                now[hosts[other]] += 1
                most[0] = max(most[0], now[hosts[other]])
            time.sleep(0)  # Let others run meanwhile.
            with lock:
                now[hosts[other]] -= 1

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    return tried, most[0]


@limits(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1, max_size=12))
def test_each_reached_pair_is_tried_once_and_each_host_by_one_at_a_time(
    nodes: list[tuple[str, bool]],
) -> None:
    hosts, reached = [host for host, _ in nodes], [is_reached for _, is_reached in nodes]
    tried, most = trials(hosts, reached)
    places = [place for place, is_reached in enumerate(reached) if is_reached]
    assert sorted(tried) == [(one, other) for one in places for other in places if one != other]
    assert most <= 1


def test_sixteen_nodes_of_one_host_each() -> None:
    tried, most = trials([f"server{number}" for number in range(16)], [True] * 16)
    assert len(set(tried)) == len(tried) == 16 * 15
    assert most == 1


def test_nodes_do_not_all_begin_with_the_same() -> None:
    turns = Turns([f"server{number}" for number in range(16)])
    assert {turns.order(place)[0] for place in range(16)} == set(range(16))


def test_node_that_has_not_arrived_is_waited_for_and_others_come_first() -> None:
    turns = Turns(["a", "b", "c"])
    turns.arrive(2, is_reached=True)
    asked = turns.in_turn(0, time.monotonic() + WITHIN_S)
    assert next(asked) == 2
    turns.arrive(1, is_reached=True)
    assert list(asked) == [1]


def test_time_is_up_for_a_node_that_does_not_arrive() -> None:
    turns = Turns(["a", "b"])
    assert list(turns.in_turn(0, time.monotonic() + SOON_S)) == []


def test_node_that_is_late_is_not_tried_any_more() -> None:
    turns = Turns(["a", "b"])
    turns.arrive(0, is_reached=True)
    assert not turns.all_arrive(SOON_S)
    turns.arrive(1, is_reached=True)
    assert list(turns.in_turn(0, time.monotonic() + WITHIN_S)) == []


def test_all_have_arrived() -> None:
    turns = Turns(["a", "b"])
    turns.arrive(0, is_reached=True)
    turns.arrive(1, is_reached=False)
    assert turns.all_arrive(0)


def test_failed_trial_frees_the_host() -> None:
    turns = Turns(["a", "b"])
    turns.arrive(1, is_reached=True)
    asked = turns.in_turn(0, time.monotonic() + WITHIN_S)
    assert next(asked) == 1
    asked.close()
    assert list(turns.in_turn(0, time.monotonic() + WITHIN_S)) == [1]


def test_what_is_held_up_is_not_waited_for_longer() -> None:
    turns = Turns(["a"])
    with turns.at("a"), turns.at("a", within_s=SOON_S):
        pass
    began = time.monotonic()
    with turns.at("a"):
        assert time.monotonic() - began < WITHIN_S


def test_exception_inside_gives_the_turn_back() -> None:
    turns = Turns(["a"])
    with pytest.raises(KeyError), turns.at("a"):
        raise KeyError
    began = time.monotonic()
    with turns.at("a", within_s=WITHIN_S):
        assert time.monotonic() - began < WITHIN_S / 2
