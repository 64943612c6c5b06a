"""The question to a host is one script, and its answer becomes facts."""

import subprocess
from pathlib import Path

import pytest

from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.access import Ran
from pgpool_recovery.setup.facts import ABSENT, BROKEN, OURS, OWN, SAMPLE, WRAPPER, Backend
from pgpool_recovery.setup.observe import observe
from pgpool_recovery.setup.probe import answered, question
from tests.unit.setup.stock import BACKENDS, NAMES, POOL, Recorder

ANSWER = """\
user\troot
system\tDebian GNU/Linux 12 (bookworm)
manager\tapt-get
host_key\tssh-ed25519 AAAA
package.postgresql-15\t15.1-1
offered\tpgpool-recovery
node.0.owner\tpostgres
node.0.home\t/var/lib/postgresql
node.0.major\t15
node.0.script\trecovery_1st_stage sample
node.0.state\trunning
node.0.port\t5433
node.0.role\tprimary
node.0.extension\ttemplate1 1.4 public
node.0.extension\tpostgres
node.0.setting\twal_log_hints on
node.0.plpython\tyes
node.0.address\t1 192.0.2.1
node.0.ssh\t1 ok
node.0.ssh\t2 Host key verification failed.
node.0.replication\t1 ok repl
node.0.replication\t2 no FATAL:  no pg_hba.conf entry
Warning: something else
"""


def test_answer_becomes_facts() -> None:
    host = answered(NAMES[0], BACKENDS[:1], ANSWER, "ssh as root")
    (node,) = host.nodes
    assert host.manager == "apt-get"
    assert host.installed == {"postgresql-15": "15.1-1"}
    assert (node.major, node.port, node.is_primary, node.has_plpython) == (15, 5433, True, True)
    assert node.extensions == {"template1": ("1.4", "public"), "postgres": None}
    assert node.ssh == {1: None, 2: "Host key verification failed."}
    assert node.replication == {1: "ok repl", 2: "no FATAL:  no pg_hba.conf entry"}
    assert node.addresses == {1: ("192.0.2.1",)}


def test_nodes_of_one_host_are_told_apart() -> None:
    ten = Backend(10, "server1", 5433, "/data")
    answer = "node.1.state\trunning\nnode.10.state\tstopped\n"
    host = answered("server1", [BACKENDS[1], ten], answer, "")
    assert [node.state for node in host.nodes] == ["running", "stopped"]


def test_names_reach_the_shell_quoted() -> None:
    odd = Backend(0, "server1", 5432, "/data/$(touch /tmp/x)'; id")
    text = question([odd], [], ["template1"])
    assert "node 0 5432 '/data/$(touch /tmp/x)'\"'\"'; id'" in text


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        (None, ABSENT),
        ('#!/bin/sh\n# Part of pgpool-recovery. Version 2.\nexec /bin/sh recovery "$@"\n', OURS),
        (
            '#!/bin/sh\n# Part of pgpool-recovery. Version 2.\nexec /no/where recovery "$@"\n',
            BROKEN,
        ),
        ("#!/bin/sh\nlogger x; /usr/bin/pgpool-recovery recovery_1st_stage\n", WRAPPER),
        ("#!/bin/sh\n# like pgpool-recovery\nrsync\n", OWN),
        ("#!/bin/sh\nrm recovery_1st_stage.before-pgpool-recovery\n", OWN),
        ('# This script is executed by "recovery_1st_stage" to recovery a Standby node.\n', SAMPLE),
    ],
)
def test_whose_a_script_is(tmp_path: Path, contents: str | None, kind: str) -> None:
    file = tmp_path / "recovery_1st_stage"
    if contents is not None:
        file.write_text(contents)
    text = question([], [], ["template1"]).partition("\nmain()")[0]
    done = subprocess.run(
        ["sh"], input=f"{text}\nkind '{file}'\n", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == kind


@pytest.mark.parametrize("key", ['command="id" ssh-rsa AAAA', "root:$6$x:1 daemon:*:1", "x"])
def test_text_that_is_no_key_is_not_given_to_other_hosts(key: str) -> None:
    answer = f"host_key\t{key}\nnode.0.state\trunning\nnode.0.key\t{key}\n"
    host = answered(NAMES[0], BACKENDS[:1], answer, "")
    assert (host.host_keys, host.nodes[0].key) == ((), None)


def probed(fakes: str, call: str) -> str:
    """Run a function of the probe with others replaced; return what it prints."""
    text = question([], [], ["template1"]).partition("\nmain()")[0]
    settings = (
        "owner=postgres bindir=/nowhere socket=/run port=5432 DATABASES=template1 id=0 data=/d\n"
    )
    done = subprocess.run(
        ["sh"],
        input=f"{text}\nRECOVERY_USER=x\n{settings}{fakes}\n{call} || :\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_warning_of_a_session_is_no_answer() -> None:
    """As of a collation: a standby would be taken for the primary."""
    fakes = "as_user() { echo 'WARNING:  collation' >&2; echo t; }"
    said = probed(fakes, "server")
    assert "node.0.role\tstandby\n" in said
    assert "WARNING" not in said


@pytest.mark.parametrize(
    ("text", "file", "makes", "found"),
    [
        ("port = 5432\n", "etc/postgresql.conf", None, "no"),
        ("include_if_exists = '{data}/myrecovery.conf'\n", "etc/postgresql.conf", None, "yes"),
        ("# include_if_exists = '{data}/myrecovery.conf'\n", "etc/postgresql.conf", None, "no"),
        ("port = 5432\n", "data/postgresql.conf", None, None),
        ("port = 5432\n", "etc/postgresql.conf", "data/myrecovery.conf", None),
    ],
)
def test_line_of_the_samples_is_seen(
    tmp_path: Path, text: str, file: str, makes: str | None, found: str | None
) -> None:
    for name in ("etc", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / file).write_text(text.format(data=tmp_path / "data"))
    if makes is not None:
        (tmp_path / makes).touch()
    fakes = f'as_user() {{ shift; "$@"; }}\nquery() {{ echo "{tmp_path / file}"; }}'
    said = probed(f"{fakes}\ndata={tmp_path}/data", "include")
    assert f"node.0.includes\t{found}\n" in said if found else said == ""


def test_root_runs_nothing_that_the_owner_of_the_data_chooses(tmp_path: Path) -> None:
    data, programs = tmp_path / "data", tmp_path / "bin"
    data.mkdir()
    programs.mkdir()
    (data / "PG_VERSION").write_text(f"../../..{tmp_path}\n")
    (programs / "pg_config").write_text(f"#!/bin/sh\ntouch {tmp_path}/planted\n")
    (programs / "pg_config").chmod(0o755)
    fakes = 'as_user() { shift; case $1 in head) "$@" ;; esac; }\nstat() { echo nobody; }'
    said = probed(f"{fakes}\npackage() {{ :; }}", f"node 0 5432 '{data}'")
    assert "node.0.owner\tnobody\n" in said
    assert "node.0.major\t\n" in said
    assert not (tmp_path / "planted").exists()


def test_data_of_root_is_not_examined(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("15\n")
    said = probed("stat() { echo root; }", f"node 0 5432 '{tmp_path}'")
    assert f"node.0.problem\t{tmp_path} belongs to root, who runs no server\n" in said
    assert "node.0.owner" not in said


@pytest.mark.parametrize("fact", ["ssh\tx ok", "address\t1 all", "replication\t ok"])
def test_answer_without_sense_is_no_answer(fact: str) -> None:
    shell = Recorder(lambda _script: Ran(0, f"node.0.state\trunning\nnode.0.{fact}\n"))
    found = observe(replace(POOL, backends=BACKENDS[:1]), None, {NAMES[0]: shell})
    assert "makes no sense" in str(found.hosts[0].problem)
