"""From facts to needs: only what is missing, each with its commands and what takes them back."""

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.facts import OWN, WRAPPER, ClusterState, PackageFiles
from pgpool_recovery.setup.need import Advice, Item, Need, There, needs_of
from pgpool_recovery.setup.probe import unanswered
from pgpool_recovery.setup.script import script
from tests.unit.setup.stock import (
    BACKENDS,
    FILES,
    KEY,
    POOL,
    UNKNOWN,
    around,
    host,
    node,
    ready,
)

DENIED = "postgres@server1: Permission denied (publickey)."
NO_ENTRY = "no FATAL: no pg_hba.conf entry for replication connection"


def names(items: Sequence[Item], host_name: str) -> list[str]:
    return [need.name for need in needs_of(items) if need.host == host_name]


def needed(found: ClusterState, name: str) -> list[Need]:
    return [need for need in needs_of(decide(found)) if need.name == name]


def advice(found: ClusterState, *, is_needed: bool) -> list[str]:
    return [
        one.what for one in decide(found) if isinstance(one, Advice) and one.is_needed is is_needed
    ]


def test_stock_cluster_lacks_this() -> None:
    items = decide(around())
    standby = ["10-packages", "20-stage-commands-1", "31-known-host-1-0", "31-known-host-1-2"]
    extensions = ["50-extension-template1", "50-extension-postgres"]
    assert names(items, "server2") == standby
    assert names(items, "server1")[-2:] == extensions
    assert not any(isinstance(one, Advice) for one in items)


def test_cluster_that_lacks_nothing_has_no_needs() -> None:
    items = decide(around(ready(0), ready(1), ready(2)))
    assert not [one for one in items if not isinstance(one, There)]


def test_needs_are_ordered_across_hosts() -> None:
    """No host has its scripts replaced before all of them have the command."""
    orders = [need.order for need in needs_of(decide(around()))]
    assert orders == sorted(orders)
    assert orders[:4] == ["10", "10", "10", "20"]


def test_packages_match_the_server_that_runs() -> None:
    """Another version of PL/Python would bring another server, and restart it."""
    (need, *_) = needed(around(), "10-packages")
    assert need.files == FILES.names[:2]
    assert (
        "postgresql-plpython3-15=\"$(dpkg-query -W -f '${Version}' postgresql-15)\""
        in (need.commands[1])
    )
    assert need.undo == ("packages_removed",)


def test_only_plpython_is_installed_if_the_rest_is_there() -> None:
    (need,) = needed(around(ready(0, has_plpython=False), ready(1), ready(2)), "10-packages")
    assert need.files == ()
    assert need.what.startswith("postgresql-plpython3-15 ")


def test_no_file_and_no_repository_is_left_to_the_user() -> None:
    assert any(
        "--packages" in one.advice
        for one in decide(around(packages=None))
        if isinstance(one, Advice)
    )
    assert needed(around(packages=None), "10-packages") == []


def test_packages_of_a_repository_are_installed_by_name() -> None:
    offered = frozenset({"pgpool-recovery", "postgresql-15-pgpool-recovery"})
    found = around(host(0, offered=offered), ready(1), ready(2), packages=None)
    (need,) = needed(found, "10-packages")
    assert " pgpool-recovery postgresql-15-pgpool-recovery " in need.commands[1]


def test_two_files_of_a_package_are_refused() -> None:
    files = PackageFiles("/root", (*FILES.names, "pgpool-recovery_2.0.1-1_all.deb"))
    with pytest.raises(Refused, match="more than one file of the package pgpool-recovery"):
        decide(around(packages=files))


def test_command_that_is_no_package_installs_the_files_itself() -> None:
    way = host(0, command="/opt/bin/pgpool-recovery", version="2.0.0")
    (need,) = needed(around(way, ready(1), ready(2)), "10-packages")
    install = "/opt/bin/pgpool-recovery install --pg-config /usr/lib/postgresql/15/bin/pg_config"
    assert need.commands[-1] == install
    assert need.undo[0] == install.replace(" install", " uninstall")


def test_rpm_hosts_get_rpms() -> None:
    files = PackageFiles(
        "/root", ("pgpool-recovery-2.0.0-1.noarch.rpm", "pgpool-recovery-pg15-2.0.0-1.noarch.rpm")
    )
    found = around(host(0, manager="dnf"), ready(1), ready(2), packages=files)
    (need,) = needed(found, "10-packages")
    assert need.files == files.names
    assert "postgresql15-plpython3-" in need.commands[1]


def test_own_scripts_are_named_and_kept() -> None:
    scripts = {**node(1).scripts, "recovery_1st_stage": OWN}
    (need,) = needed(
        around(host(0), host(1, node(1, scripts=scripts)), host(2)), "20-stage-commands-1"
    )
    assert "recovery_1st_stage: your own; " in need.what
    assert "before-pgpool-recovery" in need.what


def test_scripts_that_call_ours_are_left_alone() -> None:
    scripts = {**ready(1).nodes[0].scripts, "recovery_1st_stage": WRAPPER}
    assert decide(around(ready(0), ready(1, scripts=scripts), ready(2)))
    assert (
        needed(around(ready(0), ready(1, scripts=scripts), ready(2)), "20-stage-commands-1") == []
    )


def test_node_without_data_gets_its_scripts_with_its_copy() -> None:
    empty = host(1, node(1, state="empty", scripts={}, home=None))
    assert needed(around(host(0), empty, host(2)), "20-stage-commands-1") == []


def test_host_without_a_key_gets_one_and_others_admit_it() -> None:
    lone = ready(0, ssh={1: DENIED, 2: None}, key=None)
    found = around(lone, ready(1, authorized=()), ready(2))
    (key,) = needed(found, "30-ssh-key-0")
    (admitted,) = needed(found, "32-authorized-key-0-1")
    assert (key.host, admitted.host) == ("server1", "server2")
    assert key.makes is not None
    assert f"@{key.makes}@" in admitted.commands[0]


def test_two_owners_on_one_host_have_keys_and_records_of_their_own() -> None:
    lacking = {"ssh": {2: DENIED}, "key": None}
    two = host(0, node(0, **lacking), node(1, owner="other", home="/home/other", **lacking))
    found = around(two, host(2, node(2, authorized=(), ssh={0: UNKNOWN, 1: UNKNOWN})))
    records = [(need.host, need.name) for need in needs_of(decide(found))]
    assert len(set(records)) == len(records)
    made = [need.makes for need in needs_of(decide(found)) if need.name.startswith("30-ssh-key-")]
    assert made == ["ssh key of postgres on server1", "ssh key of other on server1"]


def test_key_that_is_refused_is_admitted() -> None:
    found = around(ready(0, ssh={1: DENIED, 2: None}), ready(1, authorized=()), ready(2))
    (admitted,) = needed(found, "32-authorized-key-0-1")
    assert KEY.format(0) in admitted.commands[0]
    assert needed(found, "31-known-host-0-1") == []


def test_changed_host_key_is_never_replaced() -> None:
    """It may be another machine."""
    said = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @ Host key verification failed."
    found = around(ready(0, ssh={1: said, 2: None}), ready(1), ready(2))
    assert [need for need in needs_of(decide(found)) if need.host == "server1"] == []
    assert advice(found, is_needed=True)


def test_host_keys_are_those_that_the_host_told() -> None:
    (need,) = (one for one in needed(around(), "31-known-host-0-1") if one.host == "server1")
    assert need.commands == (
        "add_line postgres /var/lib/postgresql/.ssh/known_hosts 'server2 ssh-ed25519 HOST1'",
    )


def test_login_that_works_leads_to_no_role() -> None:
    assert needed(around(), "40-replication-role") == []


def test_refused_login_leads_to_a_role_of_ours_on_all_hosts() -> None:
    found = around(ready(0), ready(1, replication={0: NO_ENTRY, 2: "ok repl"}), ready(2))
    assert [need.host for need in needed(found, "40-replication-role")] == ["server1"]
    assert [need.host for need in needs_of(decide(found)) if need.order == "41"] == [
        "server1",
        "server2",
        "server3",
    ]
    assert len([need for need in needs_of(decide(found)) if need.order == "42"]) == 3
    (hba,) = needed(found, "41-hba-0")
    line = "host replication pgpool_recovery_replication 192.0.2.1/32 scram-sha-256"
    assert f"'{line}'" in hba.commands[0]
    assert f"'{line}'" in hba.undo[0]


def test_server_that_does_not_answer_is_left_to_the_user() -> None:
    said = "no could not connect to server: Connection refused"
    found = around(ready(0), ready(1, replication={0: said, 2: "ok repl"}), ready(2))
    assert needed(found, "40-replication-role") == []
    assert len(advice(found, is_needed=True)) == 1


def test_stock_extension_comes_back_last() -> None:
    (need,) = needed(around(), "50-extension-template1")
    assert need.on_primary
    assert "ALTER EXTENSION pgpool_recovery UPDATE" in need.commands[0]
    assert "DROP EXTENSION" in need.undo[0]
    assert "VERSION '\"'\"'1.4'\"'\"'" in need.undo_last[0]


def test_missing_extension_is_created_and_only_dropped() -> None:
    extensions = {"template1": None, "postgres": ("2.0", "public")}
    (need,) = needed(
        around(ready(0, extensions=extensions), ready(1), ready(2)), "50-extension-template1"
    )
    assert "CREATE EXTENSION pgpool_recovery" in need.commands[0]
    assert need.undo_last == ()


def test_role_that_is_no_superuser_is_granted_what_it_calls() -> None:
    pool = replace(POOL, parameters={**POOL.parameters, "recovery_user": "dba"})

    def grants(**changes: Any) -> list[Need]:
        return needed(
            around(ready(0, **changes), ready(1), ready(2), pool=pool), "51-grant-template1"
        )

    (need,) = grants(recovery_user="role")
    assert 'pgpool_remote_start(text, text) TO "dba";' in need.commands[0]
    assert grants(recovery_user="role", may_call=frozenset({"template1"})) == []
    assert grants(recovery_user="superuser") == []
    stock = {"template1": ("1.4", "public"), "postgres": ("2.0", "public")}
    assert (
        len(grants(recovery_user="role", may_call=frozenset({"template1"}), extensions=stock)) == 1
    )


def test_role_that_does_not_exist_is_left_to_the_user() -> None:
    found = around(ready(0, recovery_user=None), ready(1), ready(2))
    assert any("does not exist" in one for one in advice(found, is_needed=True))


def test_without_a_primary_the_databases_are_left() -> None:
    found = around(ready(0, role="standby"), ready(1), ready(2))
    assert "no primary was found, so the databases could not be examined" in advice(
        found, is_needed=True
    )


def test_another_first_stage_leads_to_lines_in_pgpool_conf() -> None:
    pool = replace(POOL, changes={"recovery_1st_stage_command": "recovery_1st_stage"})
    (need,) = needed(around(ready(0), ready(1), ready(2), pool=pool), "60-pgpool-conf")
    assert need.commands == (
        "pgpool-recovery install --pgpool-conf /etc/pgpool2/pgpool.conf --without-hooks --yes",
        "/usr/sbin/pgpool -f /etc/pgpool2/pgpool.conf reload",
    )


def test_host_that_is_not_reached_gets_a_script_like_the_others() -> None:
    cut_off = host(2, node(2, state="unknown"), problem="no route to host", manager=None)
    found = around(host(0), host(1), cut_off)
    assert names(decide(found), "server3") == ["10-packages", "20-stage-commands-2"]
    assert "it could not be examined: no route to host" in advice(found, is_needed=True)


def test_without_any_login_the_scripts_find_out_what_they_need() -> None:
    hosts = [unanswered(one.host, [one], "no route") for one in BACKENDS]
    found = around(*hosts)
    items = decide(found)
    assert names(items, "server1") == [
        "10-packages",
        "20-stage-commands-0",
        "50-extension-template1",
        "50-extension-postgres",
    ]
    for each in hosts:
        text = script([need for need in needs_of(items) if need.host == each.name])
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    assert '"$PACKAGES"/postgresql-"$(head -n 1 ' in needed(found, "10-packages")[0].commands[1]


def test_methods_are_only_advised() -> None:
    settings = {**node(1).settings, "wal_log_hints": "off"}
    found = around(ready(0), ready(1, settings=settings), ready(2))
    assert needs_of(decide(found)) == ()
    assert len(advice(found, is_needed=False)) == 1


def test_key_that_is_admitted_but_refused_is_left_to_the_user() -> None:
    """As if the directory is writable for others; nothing that setup adds would help."""
    found = around(ready(0, ssh={1: DENIED, 2: None}), ready(1), ready(2))
    assert needs_of(decide(found)) == ()
    assert any(
        "though postgres admits the key there" in one for one in advice(found, is_needed=True)
    )


def test_key_in_a_comment_is_not_admitted() -> None:
    authorized = (f"# {KEY.format(0)} postgres@server1",)
    found = around(ready(0, ssh={1: DENIED, 2: None}), ready(1, authorized=authorized), ready(2))
    assert len(needed(found, "32-authorized-key-0-1")) == 1


def test_address_in_a_password_file_has_its_colons_escaped() -> None:
    backends = tuple(replace(one, host=f"fd00::{one.node_id}") for one in BACKENDS)
    hosts = [
        host(one.node_id, replace(ready(one.node_id).nodes[0], backend=one), name=one.host)
        for one in backends
    ]
    refused = replace(hosts[1].nodes[0], replication={0: NO_ENTRY, 2: "ok repl"})
    found = around(hosts[0], replace(hosts[1], nodes=(refused,)), hosts[2])
    (need,) = needed(found, "42-password-file-0")
    assert r"'fd00\:\:1:5432:replication:pgpool_recovery_replication:'" in need.commands[0]
