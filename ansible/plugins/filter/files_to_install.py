"""The filter `files_to_install`: package files that are not installed yet."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.pgpool_recovery.cluster.plugins.module_utils.package_file import (
    files_to_install,
)

DOCUMENTATION = r"""
name: files_to_install
short_description: Select the package files that are not installed yet
version_added: "2.0.0"
description:
  - Returns the files whose package is not installed in that version, as the name of the file says.
positional: _input, packages
options:
  _input:
    description: The package files, each C(.deb) or C(.rpm).
    type: list
    elements: str
    required: true
  packages:
    description: The facts of M(ansible.builtin.package_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is to be installed
  ansible.builtin.debug:
    msg: "{{ files | pgpool_recovery.cluster.files_to_install(ansible_facts.packages) }}"
"""

RETURN = r"""
_value:
  description: The files, in the order of their names.
  type: list
  elements: str
"""


def _files_to_install(
    files: Iterable[str], packages: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    try:
        missing: list[str] = files_to_install(files, packages)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return missing


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by their names."""
        return {"files_to_install": _files_to_install}
