"""Call pgpool-recovery by an argument vector, and read the document that it prints.

Only the standard library, so that it can be tested without Ansible.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping

COMMAND = "/usr/bin/pgpool-recovery"
CONNECTION = {"host": "--host", "port": "--port", "username": "--username", "config": "--config"}
"""The options by which Pgpool-II is reached, by the names of a module's parameters."""
PASS_FILES = {"pcp_pass_file": "PCPPASSFILE", "pg_pass_file": "PGPASSFILE"}
"""The environment variables that name a file with passwords; no password is a parameter."""
DOWN = "down"
DONE, USAGE, REFUSED = 0, 2, 4
SEVERITY_OF_AN_ERROR = "error"
Result = Dict[str, Any]
"""What a module returns, without `changed` where nothing can have been changed."""


def connection_parameters() -> dict[str, dict[str, Any]]:
    """Return the parameters that every module has, as Ansible describes them."""
    return {
        "command": {"type": "path", "default": COMMAND},
        "host": {"type": "str"},
        "port": {"type": "int"},
        "username": {"type": "str"},
        "config": {"type": "path"},
        "without_pgpool": {"type": "bool", "default": False},
        # Paths, not secrets: they may be shown.
        "pcp_pass_file": {"type": "path", "no_log": False},
        "pg_pass_file": {"type": "path", "no_log": False},
    }


def argv(verb: str, parameters: Mapping[str, Any], *words: str) -> list[str]:
    """Return the call of a command, whose answer is a JSON document.

    >>> argv("plan", {"command": "/usr/bin/pgpool-recovery", "port": 9898}, "1")
    ['/usr/bin/pgpool-recovery', 'plan', '--json', '--port=9898', '1']
    """
    options = [
        f"{option}={parameters[name]}"
        for name, option in CONNECTION.items()
        if parameters.get(name) is not None
    ]
    if parameters.get("without_pgpool"):
        options.append("--without-pgpool")
    return [parameters["command"], verb, "--json", *options, *words]


def environment(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that name the files with passwords."""
    return {
        variable: parameters[name]
        for name, variable in PASS_FILES.items()
        if parameters.get(name) is not None
    }


def recover_words(parameters: Mapping[str, Any]) -> list[str]:
    """Return what follows `recover`: the nodes, what is agreed to, and how it is done.

    >>> recover_words({"nodes": [1, 2], "at_most": "rewind"})
    ['--at-most=rewind', '1', '2']
    """
    words = [] if parameters.get("at_most") is None else [f"--at-most={parameters['at_most']}"]
    words += ["--all-down"] if parameters.get("all_down") else []
    words += ["--yes"] if parameters.get("agree") else []
    words += ["--wait"] if parameters.get("wait") else []
    words += [f"--at-once={parameters['at_once']}"] if parameters.get("at_once") is not None else []
    return [*words, *map(str, parameters.get("nodes") or [])]


def judged(status: int, output: str, errors: str) -> Result:
    """Return the result of a command: its document, and if it failed, why.

    `failed` follows from the exit status alone. `msg`, `detail` and `hint` are those of the first
    failure in the document; without one, `msg` names the exit status, and `detail` is what the
    command has written to standard error.
    """
    document = _document(output)
    result: Result = {"document": document, "exit_status": status}
    if status == DONE and document is not None:
        return result
    result["failed"] = True
    reason = _reason(document or {})
    if reason is None:
        what = "printed no JSON document" if status == DONE else f"failed with exit status {status}"
        reason = {"message": f"pgpool-recovery {what}", "detail": errors.strip() or None}
    result["msg"] = str(reason.get("message"))
    result["detail"] = reason.get("detail")
    result["hint"] = reason.get("hint")
    return result


def recovered(result: Mapping[str, Any]) -> bool:
    """Return whether a node was recovered; also if the recovery of another one failed."""
    recoveries = (result["document"] or {}).get("recoveries") or []
    return any(one.get("is_recovered") for one in recoveries)


def nodes_to_recover(result: Mapping[str, Any], nodes: list[int] | None) -> list[int]:
    """Return the nodes that `recover` would recover, from the document of `status`.

    `nodes` are those that are asked for; None stands for all that are down. Raises ValueError for
    one that Pgpool-II does not know, or uses: that would be refused.
    """
    status = {one["node_id"]: one["pool_status"] for one in result["document"]["status"]["nodes"]}
    if nodes is None:
        return [node for node, is_now in status.items() if is_now == DOWN]
    for node in nodes:
        if node not in status:
            raise ValueError(f"node {node} does not exist")
        if status[node] in ("up", "waiting"):
            raise ValueError(f"node {node} is in use: Pgpool-II has it as {status[node]}")
    return nodes


def _document(output: str) -> dict[str, Any] | None:
    try:
        document = json.loads(output)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _reason(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first failure that a document has: message, detail and hint."""
    if document.get("error"):
        return _mapping(document["error"])
    for recovery in document.get("recoveries") or []:
        if recovery.get("error"):
            return _mapping(recovery["error"])
    for reason in (document.get("plan") or {}).get("reasons") or []:
        return _mapping(reason)
    if document.get("findings") and document.get("exit_status") == REFUSED:
        return _of_findings(document["findings"])
    return None


def _of_findings(findings: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return why a check failed: its errors, and with --strict its warnings."""
    errors = [one for one in findings if one["severity"] == SEVERITY_OF_AN_ERROR]
    found = errors or [one for one in findings if one["severity"] == "warning"]
    what = "error" if errors else "warning"
    return {
        "message": f"the check has found {len(found)} {what}{'' if len(found) == 1 else 's'}",
        "detail": "\n".join(_line(one) for one in found),
        "hint": "\n".join(dict.fromkeys(one["advice"] for one in found if one.get("advice"))),
    }


def _line(finding: Mapping[str, Any]) -> str:
    node = finding.get("node_id")
    return str(finding["fact"]) if node is None else f"node {node}: {finding['fact']}"


def _mapping(error: Any) -> Mapping[str, Any]:
    return error if isinstance(error, dict) else {"message": str(error)}
