"""A second stage where there is none would make two primaries."""

import pytest

from pgpool_recovery.config.settings import ClusteringMode, PgpoolSettings, Settings
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import Event
from pgpool_recovery.domain.node import NodeId, Target
from pgpool_recovery.domain.target_state import TargetState
from pgpool_recovery.second_stage import finish

TARGET = Target("server2", "/data", NodeId(1))


def never(_event: Event) -> None:
    raise AssertionError("nothing may happen")


def test_in_streaming_replication_it_refuses_before_it_connects_anywhere() -> None:
    with pytest.raises(Refused, match="no second stage in mode streaming_replication") as refused:
        finish(TARGET, Settings(), never)
    assert refused.value.target is TargetState.COPIED


@pytest.mark.parametrize("mode", ClusteringMode)
def test_which_modes_have_one(mode: ClusteringMode) -> None:
    settings = Settings(pgpool=PgpoolSettings(backend_clustering_mode=mode))
    expected = mode is not ClusteringMode.STREAMING_REPLICATION
    assert settings.pgpool.backend_clustering_mode.has_second_stage is expected
