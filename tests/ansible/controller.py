"""A person on the host of Pgpool-II who runs Ansible there, and logs in elsewhere as `admin`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from tests.harness.command import Completed
from tests.harness.machine import Machine
from tests.setup.plan import ADMIN, PGPOOL

from .galaxy import ansible

HOME = PurePath("/home", ADMIN)
WITHIN_S = 600
_LOGINS = f"""\
[all:vars]
ansible_python_interpreter=/usr/bin/python3
[pools]
{PGPOOL} ansible_connection=local
"""
_RESULT = f"{HOME}/result.json"
_CALL = """\
- hosts: pools
  become: true
  become_user: postgres
  gather_facts: false
  tasks:
    - name: Call it
      pgpool_recovery.cluster.{module}: {parameters}
      register: result
      ignore_errors: true
    - name: Keep the result
      ansible.builtin.copy:
        content: "{{{{ result | to_json }}}}"
        dest: {file}
        mode: "0644"
      become: false
      check_mode: false
"""
_RECAP = re.compile(
    r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE
)


@dataclass(frozen=True)
class Controller:
    """Ansible at `place`, with the collections in a directory, on a machine."""

    machine: Machine
    place: Path
    collections: Path

    def write(self, name: str, text: str) -> None:
        """Write a file into the directory from which Ansible is run."""
        self.machine.write_file(HOME / name, text, owner=ADMIN)

    def play(self, name: str, *words: str, check: bool = True) -> Completed:
        """Run a playbook with the inventory of the guide, and how these hosts are logged in to."""
        self.write("logins.ini", _LOGINS)
        inventories = ("-i", "inventory.yml", "-i", "logins.ini")
        return self.machine.run(
            ansible(self.place, "playbook", *inventories, name, *words),
            user=ADMIN,
            env=self._environment,
            cwd=HOME,
            timeout_s=WITHIN_S,
            check=check,
        )

    def call(self, module: str, *words: str, **parameters: object) -> dict[str, Any]:
        """Return the result of a module of ours, called as postgres on the host of Pgpool-II."""
        given = json.dumps({"username": "pgpool", **parameters})
        self.write("call.yml", _CALL.format(module=module, parameters=given, file=_RESULT))
        self.machine.path(_RESULT).unlink(missing_ok=True)
        self.play("call.yml", *words)
        result = json.loads(self.machine.path(_RESULT).read_text())
        assert isinstance(result, dict)
        return result

    @property
    def _environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(HOME),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_NOCOLOR": "true",
        }


def changed(completed: Completed) -> dict[str, int]:
    """Return how much a playbook has changed on each host; none may have failed."""
    found = _RECAP.findall(completed.stdout)
    assert found
    assert {(unreachable, failed) for _, _, unreachable, failed in found} == {("0", "0")}
    return {host: int(number) for host, number, _, _ in found}
