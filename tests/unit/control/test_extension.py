"""Which database's extension is used, and the words where none is."""

import pytest

from pgpool_recovery.control.cluster import Node, SqlLogin
from pgpool_recovery.control.extension import Extension, Feature, Primary
from pgpool_recovery.domain.error import Refused, Unreachable
from pgpool_recovery.domain.node import NodeId
from pgpool_recovery.postgres.extension import ForeignOwner

NODE = Node(NodeId(0), "server0", 5432, "/data")
LOGIN = SqlLogin("postgres", ("postgres", "template1"), 2, 2)
APP = ForeignOwner("postgres", "schema", "public", "app")
DBA = ForeignOwner("template1", "relation", "pgpool_recovery_run", "dba")


def refusal(primary: Primary) -> Refused:
    with pytest.raises(Refused) as raised:
        primary.connect(Feature.HISTORY).__enter__()
    return raised.value


def test_no_extension() -> None:
    error = refusal(Primary(NODE, LOGIN, ()))
    assert error.message == "the primary (node 0) does not have the extension pgpool_recovery"


def test_foreign_owner_is_named_with_what_to_do() -> None:
    error = refusal(Primary(NODE, LOGIN, (), (APP,)))
    assert error.message == (
        "the extension pgpool_recovery on the primary (node 0) is not used: schema public of "
        "database postgres belongs to app, who is not a superuser"
    )
    assert error.detail == (
        "Such an owner can put something else in the place of what would be called."
    )
    assert error.hint == (
        "In postgres, as a superuser, run ALTER SCHEMA public OWNER TO a superuser, or drop the "
        "extension and create it in a schema of a superuser."
    )


def test_all_foreign_owners_are_named() -> None:
    error = refusal(Primary(NODE, LOGIN, (), (APP, DBA)))
    assert error.detail is not None
    assert error.detail.splitlines()[1] == (
        "relation pgpool_recovery_run of database template1 belongs to dba, who is not a superuser."
    )
    assert error.hint is not None
    assert error.hint.count("as a superuser,") == 2


def test_extension_of_another_database_is_used() -> None:
    ours = Extension("template1", "2.0", frozenset({Feature.HISTORY}))
    primary = Primary(NODE, LOGIN, (ours,), (APP,))
    assert primary.has(Feature.HISTORY)
    assert not primary.has(Feature.PLAN)
    assert "belongs to app" in primary.lacks(Feature.PLAN).message


def test_database_that_refuses_the_login_is_not_one_without_the_extension() -> None:
    refused = Unreachable("could not connect to node 0", detail="no password supplied")
    lacking = Primary(NODE, LOGIN, (), unseen={"template1": refused}).lacks(Feature.PLAN)
    assert isinstance(lacking, Unreachable)
    assert "it is not known which extension" in lacking.message
    assert lacking.detail == (
        "In database postgres it is not, or has no function pgpool_recovery_plan.\n"
        "Database template1 could not be looked into: could not connect to node 0: "
        "no password supplied"
    )
