"""What leads a standby to its primary, and what of its own would keep it from that."""

import pytest

from pgpool_recovery.agent.directory.own_login import OwnLogin
from pgpool_recovery.agent.method.make_standby import leading_settings, standby_settings
from pgpool_recovery.domain.record import replace
from pgpool_recovery.facts.step.place import Place, Places
from pgpool_recovery.facts.step.standby import ConfigureStandby, Repoint, RepointRunning

PLACES = Places(Place("/data", "/data.w", is_inside=False, new="/data.w/new"), None, ())
CONNINFO = {"host": "server1", "user": "repl"}
CONFIGURE = ConfigureStandby(
    PLACES, CONNINFO, "s", None, None, "/bin", is_of_primary=False, drops_restore_command=True
)
REPOINT = Repoint(PLACES, CONNINFO, "s", None, None, "/bin", drops_restore_command=True)
RUNNING = RepointRunning(PLACES, CONNINFO, "s", None, {}, drops_restore_command=True)


@pytest.mark.parametrize("step", [CONFIGURE, REPOINT, RUNNING])
def test_restore_command_that_does_not_work_is_overridden(
    step: ConfigureStandby | Repoint | RepointRunning,
) -> None:
    settings = leading_settings(step, OwnLogin())
    assert settings["restore_command"] == ""
    assert settings["primary_slot_name"] == "s"


@pytest.mark.parametrize("step", [CONFIGURE, REPOINT, RUNNING])
def test_command_of_the_plan_replaces_it(
    step: ConfigureStandby | Repoint | RepointRunning,
) -> None:
    fetching = replace(step, restore_command="fetch %f %p")
    assert leading_settings(fetching, OwnLogin())["restore_command"] == "fetch %f %p"


@pytest.mark.parametrize("step", [CONFIGURE, REPOINT])
def test_it_is_overridden_before_the_server_is_started(step: ConfigureStandby | Repoint) -> None:
    settings = standby_settings(step, OwnLogin())
    assert settings["restore_command"] == ""
    assert settings["recovery_target_timeline"] == "latest"


def test_one_that_works_is_left_alone() -> None:
    step = Repoint(PLACES, CONNINFO, "s", None, None, "/bin")
    assert "restore_command" not in standby_settings(step, OwnLogin())
