#!/usr/bin/python
"""The module `plan`: what would a recovery of a node do?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Tell what a recovery of a node would do
version_added: "2.0.0"
description:
  - Runs C(pgpool-recovery plan). It changes nothing.
  - Fails if no recovery of the node is possible.
author:
  - pgpool-recovery developers (!UNKNOWN)
options:
  node:
    description:
      - The node id, as in C(pgpool.conf). The node may be up or down.
    type: int
    required: true
extends_documentation_fragment:
  - pgpool_recovery.cluster.connection
attributes:
  check_mode:
    support: full
    description: It changes nothing in either mode.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Plan the recovery of node 1
  pgpool_recovery.cluster.plan:
    node: 1
    username: pgpool
  become: true
  become_user: postgres
  register: planned

- name: Show it
  ansible.builtin.debug:
    var: planned.plan.sentences
"""

RETURN = r"""
plan:
  description: The plan, with C(possible), C(method), C(sentences), C(steps) and more.
  returned: when there is a plan, or reasons why none is possible
  type: dict
document:
  description: The document that the command has printed.
  returned: always
  type: dict
exit_status:
  description: The exit status of the command.
  returned: always
  type: int
detail:
  description: More about the failure.
  returned: on failure
  type: str
hint:
  description: What can be done about it.
  returned: on failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible_collections.pgpool_recovery.cluster.plugins.module_utils.command_line import (  # noqa: E402
    argv,
    connection_parameters,
    environment,
    judged,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **connection_parameters(),
            "node": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    call = argv("plan", module.params, str(module.params["node"]))
    result = judged(*module.run_command(call, environ_update=environment(module.params)))
    plan = (result["document"] or {}).get("plan")
    if plan is not None:
        result["plan"] = plan
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
