"""The forecast of a transfer: its rate, its time, and the WAL that is written meanwhile."""

import pytest

from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.policy import Policy, Rate
from pgpool_recovery.plan.meanwhile import (
    ASSUMED_BYTES_PER_S,
    Meanwhile,
    meanwhile,
    transfer_rate,
    wal_rate,
)
from tests.unit.plan.situation import facts, primary


def test_the_lowest_known_rate_counts() -> None:
    known = replace(facts(), link_bytes_per_s=100e6)
    assert transfer_rate(known, Policy()) == 100e6
    assert transfer_rate(known, Policy(max_rate=Rate("10M"))) == 10 * 2**20
    assert transfer_rate(known, Policy(max_rate=Rate("1000M"))) == 100e6
    assert transfer_rate(facts(), Policy()) == ASSUMED_BYTES_PER_S
    assert transfer_rate(facts(), Policy(max_rate=Rate("10M"))) == 10 * 2**20
    fast = replace(known, link_bytes_per_s=1200e6)
    assert transfer_rate(fast, Policy()) == ASSUMED_BYTES_PER_S


def test_nothing_is_forecast_for_a_primary_whose_rate_is_not_known() -> None:
    assert meanwhile(facts(), Policy(), 10**9) is None
    known = replace(facts(), primary=primary(wal_bytes_per_s=1e6), link_bytes_per_s=1e6)
    assert meanwhile(known, Policy(), None) is None
    assert meanwhile(known, Policy(), 10**9) == Meanwhile(1000.0, 1e6)


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        pytest.param((0, 7200, 0, 9e9), 0.0, id="idle"),
        pytest.param((64e6, 1, 0, None), 64e6 / 60, id="a checkpoint has just begun"),
        pytest.param((0, 5, 86400e6, 86400), 1e6, id="restarted a moment ago"),
        pytest.param((300e6, 300, 5e6, 8e6), 1e6, id="was a standby for months"),
        pytest.param((-16, 300, 0, 300), 0.0, id="the statistics are a moment older"),
        pytest.param((0, -3, 10e6, -3), 10e6 / 60, id="the clock was set back"),
    ],
)
def test_the_higher_of_two_measured_rates_counts(
    told: tuple[float, float, float, float | None], rate: float
) -> None:
    assert wal_rate(*told) == pytest.approx(rate)
