"""Needs are carried out in order, stop at the first failure, and go on from there."""

import re
import subprocess
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Undone
from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.access import Ran
from pgpool_recovery.setup.carry_out import carry_out, scram_verifier, secrets_of
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.facts import PackageFiles
from pgpool_recovery.setup.need import Need, needs_of
from pgpool_recovery.setup.replication import PASSWORD, VERIFIER
from tests.unit.setup.stock import FILES, Recorder, around, ready
from tests.unit.setup.test_decide import DENIED, NO_ENTRY

PUBLIC = "ssh-ed25519 AAAAnew postgres@server1"


def done(script: str) -> Ran:
    """Answer as a step that does what it should; a key is printed by the step that makes it."""
    name = script.rpartition("echo ")[2].partition(":")[0]
    made = f"{PUBLIC}\n" if name == "30-ssh-key-0" else ""
    return Ran(0, f"some output\n{made}{name}: done\n")


def shells() -> dict[str, Recorder]:
    return {name: Recorder(done) for name in ("server1", "server2", "server3")}


def ran(needs: tuple[Need, ...], there: dict[str, Recorder], files: PackageFiles) -> list[str]:
    return [
        f"{one.need.host} {one.need.name}"
        for one in carry_out(needs, there, files, lambda _need: None)
    ]


def test_package_files_are_copied_before_and_removed_after(tmp_path: Path) -> None:
    for name in FILES.names:
        (tmp_path / name).write_bytes(name.encode())
    there = shells()
    needs = tuple(need for need in needs_of(decide(around())) if need.name == "10-packages")
    ran(needs, there, replace(FILES, directory=str(tmp_path)))
    copied = there["server2"].copied
    directory = "/var/lib/pgpool-recovery-setup/packages"
    assert copied == {f"{directory}/{name}": name.encode() for name in FILES.names[:2]}
    assert there["server2"].scripts[-1] == f"rm -rf {directory}\n"
    assert f"PACKAGES={directory}\n" in there["server2"].scripts[1]


def test_key_that_was_made_is_admitted_elsewhere() -> None:
    found = around(ready(0, ssh={1: DENIED, 2: None}, key=None), ready(1, authorized=()), ready(2))
    there = shells()
    assert ran(needs_of(decide(found)), there, FILES) == [
        "server1 30-ssh-key-0",
        "server2 32-authorized-key-0-1",
    ]
    assert (
        f"add_line postgres /var/lib/postgresql/.ssh/authorized_keys '{PUBLIC}'"
        in (there["server2"].scripts[0])
    )


def test_first_failure_stops_with_host_step_and_cause() -> None:
    there = {**shells(), "server2": Recorder(lambda _script: Ran(3, "E: disk is full\n"))}
    needs = tuple(need for need in needs_of(decide(around())) if need.order == "20")
    with pytest.raises(Undone) as caught:
        ran(needs, there, FILES)
    assert caught.value.message.startswith("20-stage-commands-1 failed on server2: ")
    assert caught.value.detail == "Exit status 3.\nE: disk is full"
    assert there["server3"].scripts == []


def test_step_that_was_done_already_says_so() -> None:
    there = {
        "server1": Recorder(lambda _script: Ran(0, "50-extension-template1: is there already\n"))
    }
    (need,) = (one for one in needs_of(decide(around())) if one.name == "50-extension-template1")
    (one,) = carry_out([need], there, FILES, lambda _need: None)
    assert one.was_there


def test_password_is_in_the_password_files_only() -> None:
    """The server gets what it stores of it, so no log of statements can have it."""
    found = around(ready(0), ready(1, replication={0: NO_ENTRY, 2: "ok repl"}), ready(2))
    needs = needs_of(decide(found))
    shown = "\n".join(line for need in needs for line in (*need.commands, *need.undo))
    assert f"@{PASSWORD}@" in shown
    there = shells()
    ran(needs, there, FILES)
    (line,) = (
        line
        for line in there["server2"].scripts[-1].split("\n")
        if "first_line" in line and "server1:5432" in line
    )
    password = line.rpartition(":")[2].removesuffix("'")
    assert len(password) == 32
    with_it = [
        text.rpartition("echo ")[2].partition(":")[0]
        for shell in there.values()
        for text in shell.scripts
        if password in text
    ]
    assert with_it == ["42-password-file-0", "42-password-file-1", "42-password-file-2"]


def test_server_gets_the_verifier_and_nothing_else() -> None:
    """A $ in it must not be the shell's."""
    found = around(ready(0), ready(1, replication={0: NO_ENTRY, 2: "ok repl"}), ready(2))
    there = shells()
    ran(needs_of(decide(found)), there, FILES)
    (text,) = (one for one in there["server1"].scripts if "CREATE ROLE" in one)
    (line,) = (one for one in text.split("\n") if "CREATE ROLE" in one)
    command = line.partition(" | ")[0]
    statement = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    verifier = r"SCRAM-SHA-256\$4096:[\w+/]{22}==\$[\w+/]{43}=:[\w+/]{43}="
    role = r"CREATE ROLE pgpool_recovery_replication LOGIN REPLICATION PASSWORD"
    assert re.fullmatch(rf"{role} '{verifier}';\n", statement.stdout)


def test_no_secret_is_made_in_vain() -> None:
    assert secrets_of(needs_of(decide(around()))) == {}
    found = around(ready(0), ready(1, replication={0: NO_ENTRY, 2: "ok repl"}), ready(2))
    assert set(secrets_of(needs_of(decide(found)))) == {PASSWORD, VERIFIER}


def test_verifier_is_that_of_the_server() -> None:
    """What PostgreSQL 15 stored for this password with this salt."""
    salt = b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
    assert scram_verifier("secret", salt).startswith("SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$")
