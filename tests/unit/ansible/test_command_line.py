"""A module calls the command by an argument vector, and tells what its document says."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import (
    argv,
    connection_parameters,
    environment,
    judged,
    nodes_to_recover,
    recover_words,
    recovered,
)

from pgpool_recovery.cli.parse import command_named, parse
from pgpool_recovery.facts.policy import Method

REPOSITORY = Path(__file__).parents[3]
COMMAND = "/usr/bin/pgpool-recovery"
ERROR = {
    "error": "Refused",
    "message": "node 1: no",
    "detail": "Why.",
    "hint": "Do.",
    "target": "x",
}
WARNING = {"severity": "warning", "node_id": None, "fact": "few slots", "advice": "Set more."}
FOUND = {"severity": "error", "node_id": 2, "fact": "no login", "advice": "Copy the key."}
FINE = {"severity": "ok", "node_id": 1, "fact": "catch-up", "advice": ""}


def recovery(node_id: int, error: object = None) -> dict[str, Any]:
    return {"node_id": node_id, "is_recovered": error is None, "error": error}


def status(**nodes: str) -> dict[str, Any]:
    known = [{"node_id": int(name[4:]), "pool_status": now} for name, now in nodes.items()]
    return {"document": {"status": {"nodes": known}}}


def test_every_parameter_is_a_word_of_its_own() -> None:
    parameters = {"command": COMMAND, "host": "a b; c", "port": 1, "username": "u", "config": "/c"}
    words = argv("check", {**parameters, "without_pgpool": True}, "--strict")
    options = ["--host=a b; c", "--port=1", "--username=u", "--config=/c", "--without-pgpool"]
    assert words == [COMMAND, "check", "--json", *options, "--strict"]


def test_absent_parameters_are_no_words() -> None:
    parameters = dict.fromkeys(("host", "port", "username", "config", "without_pgpool"))
    assert argv("plan", {"command": COMMAND, **parameters}, "1") == [COMMAND, "plan", "--json", "1"]


def test_passwords_are_in_files_that_the_environment_names() -> None:
    assert environment({"pcp_pass_file": "/p", "pg_pass_file": None}) == {"PCPPASSFILE": "/p"}
    assert environment({"pg_pass_file": "/q"}) == {"PGPASSFILE": "/q"}


def test_what_recover_is_asked() -> None:
    assert recover_words({"nodes": [0, 2], "agree": True, "wait": True}) == [
        *("--yes", "--wait"),
        *("0", "2"),
    ]
    assert recover_words({"all_down": True, "at_most": "rewind", "nodes": None}) == [
        "--at-most=rewind",
        "--all-down",
    ]


def test_success_is_the_document() -> None:
    document = {"version": 1, "findings": [FINE], "exit_status": 0}
    assert judged(0, json.dumps(document), "") == {"document": document, "exit_status": 0}


@pytest.mark.parametrize(
    "document",
    [
        {"error": ERROR, "exit_status": 4},
        {"recoveries": [recovery(0), recovery(1, ERROR)], "exit_status": 4},
        {"plan": {"possible": False, "reasons": [ERROR, {"message": "another"}]}},
    ],
    ids=["as a whole", "of a node", "no plan"],
)
def test_failure_is_told_in_its_parts(document: dict[str, Any]) -> None:
    result = judged(4, json.dumps(document), "")
    assert result["failed"]
    assert [result[key] for key in ("msg", "detail", "hint")] == ["node 1: no", "Why.", "Do."]
    assert result["exit_status"] == 4


def test_check_that_found_an_error_tells_it() -> None:
    document = {"findings": [FINE, WARNING, FOUND], "exit_status": 4}
    result = judged(4, json.dumps(document), "")
    assert result["msg"] == "the check has found 1 error"
    assert (result["detail"], result["hint"]) == ("node 2: no login", "Copy the key.")


def test_warnings_fail_a_strict_check() -> None:
    result = judged(4, json.dumps({"findings": [FINE, WARNING], "exit_status": 4}), "")
    assert result["msg"] == "the check has found 1 warning"
    assert result["detail"] == "few slots"


@pytest.mark.parametrize("output", ["", "no JSON", "[]"])
def test_without_a_document_nothing_is_a_success(output: str) -> None:
    result = judged(0, output, "")
    assert result["failed"]
    assert result["msg"] == "pgpool-recovery printed no JSON document"


def test_signal_is_told_with_what_was_written() -> None:
    result = judged(143, "", "ERROR:  ended\n")
    assert result["msg"] == "pgpool-recovery failed with exit status 143"
    assert result["detail"] == "ERROR:  ended"


def test_one_recovered_node_is_a_change_though_another_failed() -> None:
    failed = recovery(1, ERROR)
    assert recovered({"document": {"recoveries": [failed, recovery(2)]}})
    assert not recovered({"document": {"recoveries": [failed]}})
    assert not recovered({"document": {"recoveries": []}})
    assert not recovered({"document": None})


def test_what_would_be_recovered() -> None:
    found = status(node0="up", node1="down", node2="quarantine", node3="waiting")
    assert nodes_to_recover(found, None) == [1]
    assert nodes_to_recover(found, [2, 1]) == [2, 1]
    for node, why in ((0, "in use"), (3, "in use"), (4, "does not exist")):
        with pytest.raises(ValueError, match=why):
            nodes_to_recover(found, [node])


PARAMETERS = {
    "command": COMMAND,
    "host": "h",
    "port": 9898,
    "username": "u",
    "config": "/c",
    "without_pgpool": True,
}


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("check", ["--strict"]),
        ("plan", ["1"]),
        ("status", []),
        ("recover", recover_words({"nodes": [1], "agree": True, "wait": True})),
        ("recover", recover_words({"all_down": True, "at_most": "catch-up", "at_once": 2})),
    ],
)
def test_program_understands_what_modules_call(verb: str, words: list[str]) -> None:
    _, name, *rest = argv(verb, PARAMETERS, *words)
    parse(command_named(name), rest)


def test_parameters_are_those_of_a_call() -> None:
    files = {"pcp_pass_file", "pg_pass_file"}
    assert set(connection_parameters()) == PARAMETERS.keys() | files


def module_of(verb: str) -> ast.Module:
    module = REPOSITORY / f"ansible/plugins/modules/{verb}.py"
    return ast.parse(module.read_text(encoding="utf-8"))


def parameters_of(verb: str) -> set[str]:
    """Return the parameters that a module accepts in addition to those of the connection."""
    (spec,) = (
        word.value
        for node in ast.walk(module_of(verb))
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "argument_spec"
    )
    assert isinstance(spec, ast.Dict)
    return {key.value for key in spec.keys if isinstance(key, ast.Constant)}  # type: ignore[misc]


NAMED_OTHERWISE = {"yes": "agree"}
NOT_OF_A_MODULE = {"textfile"}
"""A module returns the findings, and writes them to no file."""


@pytest.mark.parametrize("verb", ["check", "plan", "recover"])
def test_module_has_every_option_of_its_command(verb: str) -> None:
    options = {option.keyword for option in command_named(verb).options} - NOT_OF_A_MODULE
    wanted = {NAMED_OTHERWISE.get(name, name) for name in options}
    assert parameters_of(verb) - {"node", "nodes"} == wanted


def test_every_parameter_of_recover_is_passed_on() -> None:
    given = {"at_most": "delta", "at_once": 3, "nodes": [7]}
    parameters = {name: given.get(name, True) for name in parameters_of("recover")}
    words = recover_words(parameters)
    options = {option.names[0] for option in command_named("recover").options}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} == options
    assert {"--at-most=delta", "--at-once=3", "7"} <= set(words)


def test_at_most_may_be_any_method() -> None:
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module_of("recover").body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert values["METHODS"] == list(Method)
    assert f"choices: [{', '.join(Method)}]\n" in values["DOCUMENTATION"]
