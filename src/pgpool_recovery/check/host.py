"""What is installed on each host, and whether it can be read and run."""

import shlex
from collections.abc import Iterator

from pgpool_recovery.check.estimates import on, sentence
from pgpool_recovery.check.finding import Finding, Kind
from pgpool_recovery.check.report import Report
from pgpool_recovery.domain.node import Target
from pgpool_recovery.facts.node import NodeFacts, StageScript

MISSING = "it does not exist"
CONFINED = "postgresql_t"
"""The type of a server that the policy of Enterprise Linux confines (docs/how-to/selinux.md)."""
EXTENSION_VERSION = "2.0"
"""The version of the extension that belongs to this release.

test_version_of_the_extension_is_known checks it.
"""


def hosts(report: Report) -> Iterator[Finding]:
    """Report what is missing or outdated on each host."""
    for _, target, node in report.reached():
        yield from _agent(report, target, node)
        yield from _files(target, node)
        for script in node.surroundings.scripts:
            yield from _script(report, target, node, script)
        yield from _server(target, node)
        yield from _confinement(report, target, node)


def _agent(report: Report, target: Target, node: NodeFacts) -> Iterator[Finding]:
    if node.agent_version != report.version:
        yield Finding(
            Kind.AGENT_VERSION,
            target.node_id,
            f"pgpool-recovery of {target.name} is version {node.agent_version}, but that of the "
            f"primary is {report.version}",
            "Install the same version on all hosts, and then the stage commands again.",
        )
    problem = node.surroundings.settings_problem
    if problem is not None:
        yield Finding(
            Kind.SETTINGS_FILE,
            target.node_id,
            f"on {target.name}: {sentence(problem)}",
            "Every recovery fails there once the node is the primary. Correct the file.",
        )


def _files(target: Target, node: NodeFacts) -> Iterator[Finding]:
    around, data = node.surroundings, node.facts.target.data.path
    if around.is_noexec:
        yield Finding(
            Kind.NOEXEC,
            target.node_id,
            f"the filesystem of {data} of {target.name} is mounted with the option noexec, so no "
            "stage script can run there",
            "Mount the filesystem of the data directory without noexec.",
        )
    if around.open_password_file is not None:
        file = around.open_password_file
        yield Finding(
            Kind.PASSWORD_FILE,
            target.node_id,
            f"password file {file} of {target.name} is open to others, so libpq does not read it",
            f"{on(target)}: chmod 0600 {shlex.quote(file.rpartition(' (')[0])}",
        )


def _script(
    report: Report, target: Target, node: NodeFacts, script: StageScript
) -> Iterator[Finding]:
    data, user = node.facts.target.data.path, node.facts.target.user
    install = f"{on(target)}, as {user}: pgpool-recovery install --data-directory {_word(data)}"
    if not node.facts.target.is_data_directory:
        return  # The scripts come with the data.
    # A script that is missing or ours is installed at once; a foreign one would be replaced.
    is_ours = script.version is not None or script.problem == MISSING
    if script.problem is not None:
        yield Finding(
            Kind.SCRIPT,
            target.node_id,
            f"stage script {data}/{script.name} of {target.name} cannot run: {script.problem}",
            install
            if is_ours
            else f"{_repair(target, data, script)} If it is not meant to be your own: {install}",
        )
    elif script.version is None:
        yield Finding(
            Kind.FOREIGN_SCRIPT,
            target.node_id,
            f"stage script {data}/{script.name} of {target.name} is not pgpool-recovery's",
            f"If it is not meant to be your own: {install}",
        )
    elif script.version != report.version:
        yield Finding(
            Kind.SCRIPT_VERSION,
            target.node_id,
            f"stage script {data}/{script.name} of {target.name} is version {script.version}, "
            f"but the primary has {report.version}",
            install,
        )


def _repair(target: Target, data: str, script: StageScript) -> str:
    """Return how to make the user's own script runnable."""
    file = _word(f"{data}/{script.name}")
    match script.problem:
        case "it does not belong to the user of the server":
            return f"{on(target)}, as root: chown root {file}."
        case "it can be written by others":
            return f"{on(target)}: chmod go-w {file}."
        case "it is not executable":
            return f"{on(target)}: chmod u+x {file}."
        case "it can be replaced by others":
            return (
                f"{on(target)}: make sure that every directory and link on the way to it belongs "
                "to root or the user of the server, and that no other user can write there."
            )
        case _:
            return f"Check it on {target.host}."


def _server(target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Report what the server would lack as the primary, where the extension runs its code."""
    server = node.surroundings.server
    if server is None:
        return
    if not server.has_python:
        major = server.version // 10000
        yield Finding(
            Kind.NO_PYTHON,
            target.node_id,
            f"{target.name} has no PL/Python, so no recovery can be called there",
            f"{on(target)}: install postgresql-plpython3-{major} (Debian, Ubuntu) or "
            f"postgresql{major}-plpython3 (Enterprise Linux).",
        )
    if server.extension != EXTENSION_VERSION:
        has = "none" if server.extension is None else f"those of {server.extension}"
        yield Finding(
            Kind.EXTENSION_FILES,
            target.node_id,
            f"the files of extension pgpool_recovery {EXTENSION_VERSION} are not on {target.name}, "
            f"which has {has}; CREATE EXTENSION and an update need them there once it is the "
            "primary",
            f"{on(target)}, as root: pgpool-recovery install",
        )


def _confinement(report: Report, target: Target, node: NodeFacts) -> Iterator[Finding]:
    """Report a server that could not run ssh as the primary, if there is a host to reach by ssh."""
    confinement = node.confinement
    if (
        confinement is None
        or confinement.domain != CONFINED
        or confinement.may_run_ssh is not False
    ):
        return
    if any(other.host != target.host for other in report.question.nodes):
        yield Finding(
            Kind.CONFINED,
            target.node_id,
            f"the server of {target.name} is confined by SELinux ({confinement.domain}), which "
            "does not let it run ssh, so it could not recover a node on another host",
            f"{on(target)}, as root: setsebool -P postgresql_can_rsync on",
        )


def _word(text: str) -> str:
    return shlex.quote(text)
