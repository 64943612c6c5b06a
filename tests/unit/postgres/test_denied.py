"""For each query that reads or calls, a role without privileges is told which one to grant."""

from importlib.resources import files

import pytest

from pgpool_recovery.postgres.denied import denied

QUERIES = {
    file.name.removesuffix(".sql"): file.read_text()
    for file in (files("pgpool_recovery.postgres") / "sql").iterdir()
    if "{extension}" in file.read_text()
}


@pytest.mark.parametrize(
    ("query", "function"),
    [
        ("plan_recovery", "pgpool_recovery_plan(text, text, text, integer, text, text)"),
        ("check_nodes", "pgpool_recovery_check(jsonb)"),
        ("first_stage", "pgpool_recovery(text, text, text, text, integer, text, text)"),
        ("remote_start", "pgpool_remote_start(text, text)"),
        ("stop_server", "pgpool_pgctl(text, text)"),
    ],
)
def test_denied_call_of_a_function(query: str, function: str) -> None:
    said = f"permission denied for function {function.partition('(')[0]}"
    refusal = denied(QUERIES[query], "app", "node 0", '"public"', said)
    assert refusal is not None
    assert refusal.exit_status == 4
    assert refusal.message == f'role "app" may not call {function.partition("(")[0]} on node 0'
    assert refusal.hint == f'GRANT EXECUTE ON FUNCTION "public".{function} TO app.'


@pytest.mark.parametrize(
    "query",
    ["last_run", "last_runs", "run", "run_events", "run_of_node", "runs", "runs_in_progress"],
)
def test_denied_read_of_the_history(query: str) -> None:
    said = "permission denied for table pgpool_recovery_run"
    refusal = denied(QUERIES[query], "My app", "node 0", '"public"', said)
    assert refusal is not None
    assert refusal.message == 'role "My app" may not read the record of recoveries on node 0'
    assert refusal.detail == f"The server says: {said}."
    assert refusal.hint == 'GRANT pg_monitor TO "My app".'


def test_denied_use_of_the_schema() -> None:
    refusal = denied(QUERIES["runs"], "app", "node 0", '"o"', "permission denied for schema o")
    assert refusal is not None
    assert refusal.hint == 'GRANT USAGE ON SCHEMA "o" TO app.'


@pytest.mark.parametrize("query", [name for name in QUERIES if name.startswith("history_")])
def test_queries_that_write_the_history_are_not_translated(query: str) -> None:
    assert denied(QUERIES[query], "app", "node 0", '"public"', "permission denied") is None
