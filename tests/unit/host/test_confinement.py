"""What the kernel's files say about a confined process, from files with their contents."""

from pathlib import Path

import pytest

from pgpool_recovery.facts.node import Confinement
from pgpool_recovery.host.confinement import confinement_of

PID = 4711
SERVER = "system_u:system_r:postgresql_t:s0\0"


def seen(
    tmp_path: Path,
    *,
    enforce: str | None = "1",
    context: str | None = SERVER,
    boolean: str | None = "0 0",
) -> Confinement | None:
    """Return what is seen when the kernel's files have these contents, or are not there."""
    contents = {
        "selinux/enforce": enforce,
        "selinux/booleans/postgresql_can_rsync": boolean,
        f"proc/{PID}/attr/current": context,
    }
    for name, text in contents.items():
        if text is not None:
            file = tmp_path / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
    return confinement_of(PID, tmp_path / "selinux", tmp_path / "proc")


def test_confined_server(tmp_path: Path) -> None:
    assert seen(tmp_path) == Confinement("postgresql_t", may_run_ssh=False)


@pytest.mark.parametrize(
    ("boolean", "may_run_ssh"), [("1 1", True), ("1 0", True), ("0 1", False), (None, None)]
)
def test_value_in_force_counts_and_not_the_pending_one(
    tmp_path: Path, boolean: str | None, *, may_run_ssh: bool | None
) -> None:
    assert seen(tmp_path, boolean=boolean) == Confinement("postgresql_t", may_run_ssh)


def test_server_of_pgdg_is_not_confined(tmp_path: Path) -> None:
    context = "system_u:system_r:unconfined_service_t:s0\0"
    found = seen(tmp_path, context=context)
    assert found == Confinement("unconfined_service_t", may_run_ssh=False)


@pytest.mark.parametrize("enforce", ["0", None])
def test_without_enforcement_nothing_is_confined(tmp_path: Path, enforce: str | None) -> None:
    assert seen(tmp_path, enforce=enforce) is None


@pytest.mark.parametrize("context", [None, "unconfined\n", ""])
def test_process_that_is_gone_or_has_no_context(tmp_path: Path, context: str | None) -> None:
    assert seen(tmp_path, context=context) is None


def test_this_host_answers() -> None:
    """Whatever it has: a file that is not there is no error."""
    confinement_of(1)
