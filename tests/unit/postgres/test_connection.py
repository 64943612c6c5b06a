"""The startup settings of our sessions, and the extension's schema in a query."""

from typing import TYPE_CHECKING, Any, cast

import pytest

from pgpool_recovery.domain.error import QueryRefused, Unreachable
from pgpool_recovery.postgres.connection import Connection, pinned
from pgpool_recovery.postgres.conninfo import format_conninfo, parse_conninfo
from pgpool_recovery.postgres.extension import ForeignOwner
from pgpool_recovery.postgres.session import PINNED, startup_options

if TYPE_CHECKING:
    import psycopg


class Session:
    """A session of psycopg that answers every query with the same rows."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.asked: list[str] = []

    def execute(self, query: bytes, _parameters: object) -> "Session":
        self.asked.append(query.decode())
        return self

    def fetchall(self) -> list[dict[str, Any]]:
        return self.rows


def row(schema: str = "public", **changes: str) -> dict[str, Any]:
    """Return the row of extension.sql when superusers own everything."""
    honest = {"database": "postgres", "version": "2.0", "schema": schema, "is_utf8": True}
    nobody = {"foreign_kind": None, "foreign_name": None, "foreign_role": None}
    return {**honest, "members": ["a"], **nobody, **changes}


def connection(session: Session) -> Connection:
    return Connection(cast("psycopg.Connection[dict[str, Any]]", session), "the primary")


@pytest.mark.parametrize(
    ("schema", "quoted"),
    [
        ("public", '"public"'),
        ('o"ur', '"o""ur"'),
        ("100% ours", '"100%% ours"'),
        ("{extension}", '"{extension}"'),
    ],
)
def test_schema_of_the_extension_is_an_identifier(schema: str, quoted: str) -> None:
    session = Session(row(schema))
    ours = connection(session)
    found = ours.extension()
    assert found is not None
    assert found.members == {"a"}
    ours.rows("last_run")
    assert f"from {quoted}.pgpool_recovery_run" in session.asked[-1]


FOREIGN_SCHEMA = row(foreign_kind="schema", foreign_name="public", foreign_role="app")


def test_extension_of_a_foreign_owner_is_not_used() -> None:
    session = Session(FOREIGN_SCHEMA)
    ours = connection(session)
    found = ours.extension()
    assert found is not None
    assert found.foreign == ForeignOwner("postgres", "schema", "public", "app")
    assert found.members == frozenset()
    with pytest.raises(LookupError, match="last_run"):
        ours.rows("last_run")
    assert len(session.asked) == 1


def test_foreign_owner_who_comes_later_is_seen() -> None:
    session = Session(row())
    ours = connection(session)
    ours.extension()
    session.rows = [FOREIGN_SCHEMA]
    ours.extension()
    with pytest.raises(LookupError, match="last_run"):
        ours.rows("last_run")


def test_query_about_the_extension_needs_its_schema() -> None:
    session = Session()
    ours = connection(session)
    assert ours.extension() is None
    with pytest.raises(LookupError, match="last_run"):
        ours.rows("last_run")
    assert len(session.asked) == 1


def test_options_of_others_come_first_so_ours_override_them() -> None:
    words = startup_options("-c search_path=evil -c work_mem=1MB", {"statement_timeout": "5s"})
    assert words.startswith("-c search_path=evil -c work_mem=1MB -c ")
    assert words.rindex("search_path=pg_catalog,\\ pg_temp") > words.index("search_path=evil")
    assert words.endswith("tcp_keepalives_count=6")
    assert words.count("statement_timeout") == 1, "ours instead of what is pinned"


def test_everything_pinned_is_one_word() -> None:
    text = format_conninfo(pinned({"host": "server1", "options": "-c geqo=off"}))
    options = parse_conninfo(text)["options"]
    assert options.replace("\\ ", "").count(" ") == 2 * (len(PINNED) + 1) - 1


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("42501", QueryRefused),  # No privilege.
        ("42883", QueryRefused),  # No such function.
        ("55000", QueryRefused),
        ("0A000", QueryRefused),
        ("55006", Unreachable),  # A slot in use may be free soon.
        ("55P03", Unreachable),
        ("57014", Unreachable),
        ("57P01", Unreachable),
        ("08006", Unreachable),
        ("53100", Unreachable),
        (None, Unreachable),
    ],
)
def test_permanent_error_is_not_taken_for_a_lost_server(
    sqlstate: str | None, kind: type[Unreachable]
) -> None:
    import psycopg

    class Failing(Session):
        def execute(self, _query: bytes, _parameters: object = None) -> Session:
            raise type("Error", (psycopg.Error,), {"sqlstate": sqlstate})("no")

    asked = connection(Failing())
    for ask in (lambda: asked.rows("slots"), lambda: asked.do("CHECKPOINT")):
        with pytest.raises(Unreachable, match="failed on the primary") as caught:
            ask()
        assert type(caught.value) is kind
    assert QueryRefused("x").exit_status == 4
