"""Render needs as a playbook for Ansible: a play for each host and step, in their order."""

import json
from collections.abc import Sequence

from pgpool_recovery.domain.text import one_line
from pgpool_recovery.setup.facts import PackageFiles
from pgpool_recovery.setup.need import POOL_HOST, Need
from pgpool_recovery.setup.script import COPIED_TO, script

LOCAL = "localhost"
NO_CHANGE = "      changed_when: false"
"""Of the copies that come and go: if nothing is installed, a playbook has changed nothing."""


def playbook(needs: Sequence[Need], files: PackageFiles | None, secrets: Sequence[str] = ()) -> str:
    """Return the playbook; the hosts of its plays are those of pgpool.conf.

    What has one of the secrets is logged nowhere: Ansible would have the hosts log the commands.

    Needs of the same host that follow each other share a play. JSON strings are YAML, too, so no
    value can be misread.
    """
    plays: list[tuple[str, list[Need]]] = []
    for need in needs:
        if not plays or plays[-1][0] != need.host:
            plays.append((need.host, []))
        plays[-1][1].append(need)
    lines = ["---"]
    for host, own in plays:
        lines += _play(host, own, files, secrets)
    return "".join(f"{line}\n" for line in lines)


def _play(
    host: str, needs: Sequence[Need], files: PackageFiles | None, secrets: Sequence[str]
) -> list[str]:
    name = LOCAL if host == POOL_HOST else host
    lines = [
        f"- name: !unsafe {_text(f'Set up {host}')}",
        f"  hosts: {_text(name)}",
        *(["  connection: local"] if host == POOL_HOST else []),
        "  become: true",
        "  gather_facts: false",
        "  tasks:",
    ]
    for need in needs:
        if need.files and files is not None:
            lines += _copies(need, files)
        lines += [
            f"    - name: !unsafe {_text(one_line(need.what))}",
            "      ansible.builtin.command:",
            '        argv: ["sh", "-s"]',
            f"        stdin: !unsafe {_text(script([need], COPIED_TO))}",
            f"      register: {_variable(need)}",
            f"      changed_when: {_text(_changed(need))}",
            *(["      no_log: true"] if any(one in script([need]) for one in secrets) else []),
        ]
        if need.files:
            lines += [
                '    - name: "Remove the copies of the package files"',
                "      ansible.builtin.file:",
                f"        path: {_text(COPIED_TO)}",
                "        state: absent",
                NO_CHANGE,
            ]
    return lines


def _copies(need: Need, files: PackageFiles) -> list[str]:
    lines = [
        '    - name: "Make a directory for the package files"',
        "      ansible.builtin.file:",
        f"        path: {_text(COPIED_TO)}",
        "        state: directory",
        '        mode: "0755"',
        NO_CHANGE,
    ]
    for name in need.files:
        lines += [
            f"    - name: {_text(f'Copy {name}')}",
            "      ansible.builtin.copy:",
            f"        src: {_text(f'{files.directory}/{name}')}",
            f"        dest: {_text(f'{COPIED_TO}/{name}')}",
            '        mode: "0644"',
            NO_CHANGE,
        ]
    return lines


def _changed(need: Need) -> str:
    return f"'{need.name}: done' in {_variable(need)}.stdout_lines"


def _variable(need: Need) -> str:
    return "setup_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in need.name)


def _text(text: str) -> str:
    return json.dumps(text)
