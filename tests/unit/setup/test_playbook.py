"""A playbook has a play for each host and order, with the same scripts."""

import json

from pgpool_recovery.domain.record import replace
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.need import filled, needs_of
from pgpool_recovery.setup.playbook import playbook
from pgpool_recovery.setup.replication import PASSWORD, VERIFIER
from pgpool_recovery.setup.script import COPIED_TO, script
from tests.unit.setup.stock import FILES, POOL, around, ready


def test_hosts_take_turns_in_the_order_of_the_needs() -> None:
    text = playbook(needs_of(decide(around())), FILES)
    hosts = [line.partition('"')[2][:-1] for line in text.split("\n") if line.startswith("  hosts")]
    assert hosts == ["server1", "server2", "server3"] * 3 + ["server1"]


def test_script_is_the_one_that_setup_runs_and_no_template() -> None:
    needs = needs_of(decide(around()))
    text = playbook(needs[:1], FILES)
    (line,) = (line for line in text.split("\n") if line.startswith("        stdin: !unsafe "))
    assert json.loads(line.partition("!unsafe ")[2]) == script(needs[:1], COPIED_TO)


def test_package_files_are_copied_and_removed() -> None:
    text = playbook(needs_of(decide(around()))[:1], FILES)
    assert f'src: "/root/{FILES.names[0]}"' in text
    assert text.rstrip().endswith("state: absent\n      changed_when: false")


def test_copies_are_no_change() -> None:
    """The task that installs tells whether anything has changed."""
    tasks = playbook(needs_of(decide(around())), FILES).split("    - name: ")[1:]
    for task in tasks:
        is_copy = "ansible.builtin.command" not in task
        assert is_copy == ("changed_when: false" in task)


def test_host_of_pgpool_is_the_local_one() -> None:
    pool = replace(POOL, changes={"recovery_1st_stage_command": "recovery_1st_stage"})
    text = playbook(needs_of(decide(around(pool=pool))), FILES)
    assert '  hosts: "localhost"\n  connection: local\n' in text


def test_password_is_not_logged() -> None:
    refused = {0: "no FATAL: no pg_hba.conf entry for replication connection", 2: "ok repl"}
    needs = needs_of(decide(around(ready(0), ready(1, replication=refused), ready(2))))
    values = {PASSWORD: "pencil", VERIFIER: "SCRAM-SHA-256$4096:x"}
    text = playbook([filled(need, values) for need in needs], FILES, [*values.values()])
    tasks = text.split("    - name: ")
    assert sum("pencil" in task or "4096" in task for task in tasks) == 4
    for task in tasks:
        assert ("pencil" in task or "4096" in task) == ("      no_log: true\n" in task)
