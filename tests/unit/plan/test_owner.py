"""A directory that cannot be used: a shell understands the command in the hint."""

import pytest

from pgpool_recovery.facts.facts import Filesystem
from pgpool_recovery.plan.mount import reject_read_only
from pgpool_recovery.plan.owner import reject_owner
from tests.unit.plan.situation import place, target


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"problem": "it is", "is_of_another_user": True}, "chown -R postgres: '/my data'"),
        ({"can_write": False}, "chmod u+rwx '/my data'"),
        ({"exists": False}, "install -d -o postgres -m 0700 '/my data'"),
    ],
)
def test_path_with_a_blank_is_quoted(changes: dict[str, object], command: str) -> None:
    rejection = reject_owner("node 1", target(), place("/my data", **changes))
    assert rejection.hint is not None
    assert rejection.hint.endswith(f"{command}.")


def test_mount_point_with_a_blank_is_quoted() -> None:
    filesystem = Filesystem(device=1, free_bytes=0, is_read_only=True, mounted_at="/my disk")
    (rejection,) = reject_read_only("node 1", "server2", place(filesystem=filesystem))
    assert rejection.hint is not None
    assert rejection.hint.endswith("mount -o remount,rw '/my disk'.")
