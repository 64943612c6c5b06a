"""What the pages say in SQL is understood by a server that has the extensions."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.postgresql import Server

DOCS = Path(__file__).parents[2] / "docs"
SIGNATURE = re.compile(r"→|\[SCHEMA ")
"""In a block that describes a function, or how an extension is created."""
RUNS = re.compile(r"^SELECT (\* FROM )?pgpool_re(covery|covery_check|mote_start)\(")


def statements() -> Iterator[tuple[str, str]]:
    """Yield the statements of the pages, each with the name of its page.

    Not those that create the extensions, which other tests do, nor those that ask a Pgpool-II.
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
    """A server with what the pages take for granted."""
    server.execute(TAKEN_FOR_GRANTED)
    return server


def test_statements_are_found() -> None:
    assert sum(map(len, FOUND.values())) > 30
    assert {"install", "troubleshoot", "watch-from-psql", "sql", "pgpool-adm"} <= set(FOUND)


@pytest.mark.parametrize("page", FOUND)
def test_statements_of_a_page_are_understood(documented: Server, page: str) -> None:
    """They are run; a recovery is only planned by the server, which looks the function up."""
    run = [f"EXPLAIN {one}" if RUNS.match(one) else one for one in FOUND[page]]
    documented.execute("".join(f"{one};\n" for one in run))
