"""The work on a host says that it gets on, and how long it has not."""

import time

from pgpool_recovery.host.stop import Stop


def test_runner_is_told_at_once_but_not_more_than_once_a_second() -> None:
    told = list[None]()
    stop = Stop(lambda: told.append(None))
    for _ in range(1000):
        stop.got_on()
    assert len(told) == 1


def test_idle_time_begins_anew_with_each_progress() -> None:
    stop = Stop()
    time.sleep(0.05)
    assert stop.idle_s >= 0.05
    stop.got_on(8192)
    assert stop.idle_s < 0.05
