"""The filter `to_toml`: a mapping as the text of a settings file."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.pgpool_recovery.cluster.plugins.module_utils.toml_text import to_toml

DOCUMENTATION = r"""
name: to_toml
short_description: Write settings as TOML
version_added: "2.0.0"
description:
  - Returns the text of a settings file for pgpool-recovery.
positional: _input
options:
  _input:
    description: The tables of the file, each a mapping.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show a settings file
  ansible.builtin.debug:
    msg: "{{ {'replication': {'user': 'repl'}} | pgpool_recovery.cluster.to_toml }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def _to_toml(settings: Mapping[str, Any]) -> str:
    try:
        text: str = to_toml(settings)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return text


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[[Mapping[str, Any]], str]]:
        """Return the filters by their names."""
        return {"to_toml": _to_toml}
