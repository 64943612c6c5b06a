"""Promise 13: a superuser who calls directly is trusted; others' code in the session is not."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.harness.postgresql import Server
from tests.server.conftest import on_each_major, write_script

pytestmark = on_each_major

PLAN = "pgpool_recovery_plan('h', '/d', '5432', 1, '5432', 'p')->>'caller'"
RECOVERY = "pgpool_recovery('tell_caller', 'h', '/d')"
ANSWER = r"""printf '\036%s {"answer": {"caller": "%s"}}\n' """
CALLS = {
    "sql": "LANGUAGE sql SECURITY DEFINER AS $$ SELECT {call} $$",
    "bound": "LANGUAGE sql SECURITY DEFINER RETURN {call}",
    "plpgsql": "LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN {call}; END $$",
    "dynamic": "LANGUAGE plpgsql SECURITY DEFINER AS $$ DECLARE answer text; BEGIN "
    "EXECUTE $q$SELECT {call}$q$ INTO answer; RETURN answer; END $$",
}


@pytest.fixture(scope="module")
def calling(server: Server) -> Iterator[Server]:
    """A server with a role that may call our functions, and owns functions that do."""
    tell = f'{ANSWER}"$PGPOOL_RECOVERY_SECRET" "$PGPOOL_RECOVERY_CALLER"'
    write_script(server, tell, "pgpool_recovery_plan")
    write_script(server, 'echo "caller: $PGPOOL_RECOVERY_CALLER"', "tell_caller")
    server.execute(
        "CREATE ROLE low LOGIN; CREATE SCHEMA low AUTHORIZATION low;"
        " GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO low"
    )
    with psycopg.connect(server.conninfo_from_here("low", dbname="postgres")) as low:
        for name, text in CALLS.items():
            call = text.format(call=PLAN)
            low.execute(f"CREATE FUNCTION low.{name}() RETURNS text {call}")
        low.execute("CREATE TABLE low.t (answer text)")
        low.execute(
            "CREATE FUNCTION low.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
            f" $$ BEGIN NEW.answer := {PLAN}; RETURN NEW; END $$"
        )
        low.execute(
            "CREATE TRIGGER note BEFORE INSERT ON low.t FOR EACH ROW EXECUTE FUNCTION low.note()"
        )
        # The server itself updates a referencing table, as the table's owner.
        low.execute("CREATE TABLE low.parent (id integer PRIMARY KEY)")
        low.execute(
            "CREATE TABLE low.child (id integer REFERENCES low.parent ON UPDATE CASCADE,"
            f" CHECK ({PLAN} = 'role'))"
        )
        low.execute("INSERT INTO low.parent VALUES (1); INSERT INTO low.child VALUES (1)")
    yield server
    server.execute("DROP OWNED BY low CASCADE; DROP ROLE low")


def answer(server: Server, query: str, user: str = "postgres") -> object:
    conninfo = server.conninfo_from_here(user, dbname="postgres")
    with psycopg.connect(conninfo, autocommit=True) as session:
        row = session.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_superuser_who_calls_directly_is_trusted(calling: Server) -> None:
    assert answer(calling, f"SELECT {PLAN}") == "superuser"
    assert answer(calling, f"SELECT {PLAN}", "low") == "role"


def test_superuser_is_trusted_by_each_function(calling: Server) -> None:
    conninfo = calling.conninfo_from_here(dbname="postgres")
    told: list[str | None] = []
    with psycopg.connect(conninfo, autocommit=True) as session:
        session.add_notice_handler(lambda notice: told.append(notice.message_primary))
        session.execute(f"SELECT {RECOVERY}")
        session.execute(f"DO $$BEGIN PERFORM {RECOVERY}; END$$")
    assert told == ["caller: superuser", "caller: role"]


@pytest.mark.parametrize("name", CALLS)
def test_promise_13_function_of_a_role_is_no_superuser(calling: Server, name: str) -> None:
    assert answer(calling, f"SELECT low.{name}()") == "role"


def test_promise_13_trigger_of_a_role_is_no_superuser(calling: Server) -> None:
    assert answer(calling, "INSERT INTO low.t VALUES ('') RETURNING answer") == "role"


def test_promise_13_update_of_the_server_for_a_role_is_no_superuser(calling: Server) -> None:
    """An update by a foreign key runs as the role that owns the table.

    Otherwise the table's check constraint would reject the update.
    """
    assert answer(calling, "UPDATE low.parent SET id = 2 RETURNING id") == 2
