#!/usr/bin/python
"""The module `check`: could every node be recovered if it were lost now?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: check
short_description: Check whether every node of a Pgpool-II cluster could be recovered
version_added: "2.0.0"
description:
  - Runs C(pgpool-recovery check). It examines every node, even a healthy one, and changes nothing.
  - Fails if it has found an error, or if Pgpool-II or the primary cannot be reached.
author:
  - pgpool-recovery developers (!UNKNOWN)
options:
  strict:
    description:
      - Treat warnings as errors.
    type: bool
    default: false
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
- name: Check the cluster
  pgpool_recovery.cluster.check:
    username: pgpool
  become: true
  become_user: postgres
"""

RETURN = r"""
findings:
  description: What was found, each with C(severity), C(node_id), C(fact) and C(advice).
  returned: when the check could be made
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
  description: The errors that were found, one in each line, or more about the failure.
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
            "strict": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    words = ["--strict"] if module.params["strict"] else []
    call = argv("check", module.params, *words)
    result = judged(*module.run_command(call, environ_update=environment(module.params)))
    findings = (result["document"] or {}).get("findings")
    if findings is not None:
        result["findings"] = findings
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
