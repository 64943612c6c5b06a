"""Carry out needs on their hosts, one after another, and stop at the first failure."""

import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import pbkdf2_hmac, sha256
from hmac import digest
from pathlib import Path

from pgpool_recovery.domain.error import Undone, reason_of
from pgpool_recovery.domain.line import lines_of
from pgpool_recovery.domain.record import record
from pgpool_recovery.files.text import read_bytes
from pgpool_recovery.setup.access import RootShell
from pgpool_recovery.setup.facts import PackageFiles
from pgpool_recovery.setup.need import Need, filled
from pgpool_recovery.setup.replication import PASSWORD, VERIFIER
from pgpool_recovery.setup.said import worth_saying
from pgpool_recovery.setup.script import COPIED_TO, script

WITHIN_S = 1800.0
"""For the packages of a host with a slow line to its repository."""
COPY_WITHIN_S = 300.0
MAX_PACKAGE_BYTES = 256 * 2**20
SCRAM_ITERATIONS = 4096
REMOVE_COPIES = f"rm -rf {COPIED_TO}\n"


@record
class Done:
    """A need that was carried out; `was_there`: its test found that nothing was to be done.

    `said` are the lines of its output that a person should see.
    """

    need: Need
    was_there: bool
    said: tuple[str, ...] = ()


def carry_out(
    needs: Sequence[Need],
    shells: Mapping[str, RootShell],
    files: PackageFiles | None,
    on_start: Callable[[Need], None],
) -> Iterator[Done]:
    """Yield each need that was carried out, in order; raise Undone at the first that fails.

    What was done before stays, and is on record: setup can be run again, or undone.
    """
    values = secrets_of(needs)
    for need in needs:
        on_start(need)
        shell = shells[need.host]
        if need.files:
            _copy(need, shell, files)
        ran = shell.run(script([filled(need, values)], COPIED_TO), within_s=WITHIN_S)
        if need.files:
            shell.run(REMOVE_COPIES, within_s=COPY_WITHIN_S)
        if ran.status != 0:
            raise Undone(
                f"{need.name} failed on {need.host}: {need.what}",
                detail=f"Exit status {ran.status}.\n{ran.last_lines}",
                hint="What was done before stays. Remove the cause, and run setup again: it goes "
                "on from there. Or take everything back with: pgpool-recovery setup --undo",
            )
        lines = [line for line in lines_of(ran.output.strip()) if line]
        outcome = lines.pop() if lines else ""
        if need.makes is not None and lines:
            values[need.makes] = lines[-1].strip()
        was_there = outcome == f"{need.name}: is there already"
        yield Done(need, was_there, tuple(worth_saying(ran.output)))


def secrets_of(needs: Sequence[Need]) -> dict[str, str]:
    """Return a new password, and what the server is to store of it, if a need uses them."""
    text = "\n".join(line for need in needs for line in need.commands)
    if PASSWORD not in text:
        return {}
    password = secrets.token_hex(16)
    return {PASSWORD: password, VERIFIER: scram_verifier(password, secrets.token_bytes(16))}


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what the server stores of a password (RFC 5803), so that it never sees the password.

    >>> scram_verifier("pencil", b"salt")[:28]
    'SCRAM-SHA-256$4096:c2FsdA==$'
    """
    salted = pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    client = sha256(digest(salted, b"Client Key", "sha256")).digest()
    server = digest(salted, b"Server Key", "sha256")
    salt_text, client_text, server_text = (
        b64encode(each).decode() for each in (salt, client, server)
    )
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{salt_text}${client_text}:{server_text}"


def _copy(need: Need, shell: RootShell, files: PackageFiles | None) -> None:
    if files is None:
        raise LookupError("a need has files, but there are none")
    made = shell.run(f"umask 022; mkdir -p {COPIED_TO}\n", within_s=COPY_WITHIN_S)
    for name in need.files:
        path = Path(files.directory, name)
        try:
            data = read_bytes(path, MAX_PACKAGE_BYTES)
        except OSError as error:
            raise Undone(f"could not read {path}: {reason_of(error)}") from error
        if made.status == 0:
            made = shell.copy(data, f"{COPIED_TO}/{name}", within_s=COPY_WITHIN_S)
        if made.status != 0:
            raise Undone(f"could not copy {name} to {need.host}", detail=made.last_lines)
