"""A server that has the extensions accepts the SQL statements of the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.postgresql import Server

DOCS = Path(__file__).parents[2] / "docs"
SIGNATURE = re.compile(r"→|\[SCHEMA ")
"""Found only in a block that describes a function, or how an extension is created."""
RUNS = re.compile(r"^SELECT (\* FROM )?pgpool_re(covery|covery_check|mote_start)\(")


def statements() -> Iterator[tuple[str, str]]:
    """Yield the statements of the pages, each with the name of its page.

    Statements that create the extensions are left out, since other tests run those, and so are
    statements that need a Pgpool-II.
    """
    for page in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"^```sql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            if SIGNATURE.search(block):
                continue
            text = re.sub(r"--.*$|\\watch 1", "", block, flags=re.MULTILINE)
            for one in filter(None, map(str.strip, text.split(";"))):
                if not one.startswith(("CREATE EXTENSION", "SELECT pcp_")):
                    yield page.stem, one


FOUND: dict[str, list[str]] = {}
for name, found in statements():
    FOUND.setdefault(name, []).append(found)
TAKEN_FOR_GRANTED = """
    CREATE ROLE recovery_role;
    CREATE ROLE monitoring;
    CREATE ROLE operator;
    CREATE EXTENSION pgpool_adm;
    CREATE EXTENSION pgpool_regclass;
"""


@pytest.fixture(scope="module")
def documented(server: Server) -> Server:
    """A server with the roles and extensions that the pages assume."""
    server.execute(TAKEN_FOR_GRANTED)
    return server


def test_statements_are_found() -> None:
    assert sum(map(len, FOUND.values())) > 30
    assert {"install", "troubleshoot", "watch-from-psql", "sql", "pgpool-adm"} <= set(FOUND)


@pytest.mark.parametrize("page", FOUND)
def test_statements_of_a_page_are_understood(documented: Server, page: str) -> None:
    """The statements of a page run, except that a call of a recovery is only explained.

    To plan it, the server must find the function.
    """
    run = [f"EXPLAIN {one}" if RUNS.match(one) else one for one in FOUND[page]]
    documented.execute("".join(f"{one};\n" for one in run))
