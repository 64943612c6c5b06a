#!/usr/bin/python
"""The module `recover`: recover nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recover
short_description: Recover nodes of a Pgpool-II cluster
version_added: "2.0.0"
description:
  - Runs C(pgpool-recovery recover). It brings each node back as a standby, copies no more data
    than necessary, and checks that the node is up in the pool and streaming.
  - With O(all_down) nothing is done if no node is down, so it can be run again. A node that is
    named in O(nodes) must be down.
  - A recovery does not depend on the module. It continues on the primary if the connection to the
    host is lost.
author:
  - pgpool-recovery developers (!UNKNOWN)
options:
  nodes:
    description:
      - Node ids, as in C(pgpool.conf).
    type: list
    elements: int
  all_down:
    description:
      - Recover all nodes that are down in Pgpool-II, except those in quarantine.
    type: bool
    default: false
  agree:
    description:
      - Agree to the plan, also if it changes or removes something that cannot be restored.
      - Without it, and without O(at_most), such a recovery is refused.
    type: bool
    default: false
  at_most:
    description:
      - Agree to at most what this method does. Anything beyond that is refused.
    type: str
    choices: [attach, repoint, catch-up, rewind, incremental, restore, command, delta, basebackup]
  at_once:
    description:
      - Recover up to this many nodes at the same time.
    type: int
    default: 1
  wait:
    description:
      - If a recovery of the node is already running, wait until it has ended.
    type: bool
    default: false
extends_documentation_fragment:
  - pgpool_recovery.cluster.connection
attributes:
  check_mode:
    support: full
    description: It plans the recoveries, and changes nothing.
  diff_mode:
    support: none
    description: The plans say what would be done.
"""

EXAMPLES = r"""
- name: Recover what is down, as long as no data is copied anew
  pgpool_recovery.cluster.recover:
    all_down: true
    at_most: incremental
    username: pgpool
  become: true
  become_user: postgres

- name: Recover node 1, whatever it takes
  pgpool_recovery.cluster.recover:
    nodes: [1]
    agree: true
    username: pgpool
  become: true
  become_user: postgres
"""

RETURN = r"""
recoveries:
  description: Each recovery, with C(node_id), C(is_recovered), C(method), C(moved_bytes) and more.
  returned: when recoveries were begun
  type: list
  elements: dict
plans:
  description: The plan for each node that would be recovered.
  returned: in check mode
  type: list
  elements: dict
document:
  description: The document that the command has printed.
  returned: always
  type: dict
exit_status:
  description: The exit status of the command.
  returned: always
  type: int
detail:
  description: More about the first failure.
  returned: on failure
  type: str
hint:
  description: What can be done about it.
  returned: on failure
  type: str
"""

from typing import TYPE_CHECKING  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible_collections.pgpool_recovery.cluster.plugins.module_utils.command_line import (  # noqa: E402
    argv,
    connection_parameters,
    environment,
    judged,
    nodes_to_recover,
    recover_words,
    recovered,
)

if TYPE_CHECKING:
    from ansible_collections.pgpool_recovery.cluster.plugins.module_utils.command_line import Result

METHODS = [
    "attach",
    "repoint",
    "catch-up",
    "rewind",
    "incremental",
    "restore",
    "command",
    "delta",
    "basebackup",
]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **connection_parameters(),
            "nodes": {"type": "list", "elements": "int"},
            "all_down": {"type": "bool", "default": False},
            "agree": {"type": "bool", "default": False},
            "at_most": {"type": "str", "choices": METHODS},
            "at_once": {"type": "int", "default": 1},
            "wait": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if bool(module.params["nodes"]) == module.params["all_down"]:
        module.fail_json(msg="set nodes or all_down, and not both")
    result = _planned(module) if module.check_mode else _done(module)
    module.exit_json(**result)


def _done(module: AnsibleModule) -> Result:
    result = _called(module, "recover", *recover_words(module.params))
    recoveries = (result["document"] or {}).get("recoveries")
    if recoveries is not None:
        result["recoveries"] = recoveries
    return {**result, "changed": recovered(result)}


def _planned(module: AnsibleModule) -> Result:
    """Return the plans of what would be recovered; fail as the recovery would, if that is known."""
    nodes = module.params["nodes"]
    result = _called(module, "status")
    if result.get("failed"):
        return {**result, "changed": False}
    try:
        wanted = nodes_to_recover(result, nodes)
    except ValueError as error:
        return {**result, "changed": False, "failed": True, "msg": str(error)}
    plans = []
    for node in wanted:
        result = _called(module, "plan", str(node))
        if result.get("failed"):
            return {**result, "changed": False}
        plans.append(result["document"]["plan"])
    return {**result, "plans": plans, "changed": bool(plans)}


def _called(module: AnsibleModule, verb: str, *words: str) -> Result:
    call = argv(verb, module.params, *words)
    return judged(*module.run_command(call, environ_update=environment(module.params)))


if __name__ == "__main__":
    main()
