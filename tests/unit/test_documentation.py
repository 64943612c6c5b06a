"""The documentation has every setting with its default, every method and every message."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

import pgpool_recovery
from pgpool_recovery.check.finding import Kind
from pgpool_recovery.config.settings import MethodSettings, NodeSettings, Settings
from pgpool_recovery.domain.error import RecoveryError, kinds
from pgpool_recovery.facts.policy import Method

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
SETTINGS = DOCS / "reference" / "settings.md"
CHECK = DOCS / "reference" / "check.md"
ADM = DOCS / "reference" / "pgpool-adm.md"
ADM_SQL = REPOSITORY / "extension" / "sql" / "adm.sql"
METHODS = DOCS / "explanation" / "methods.md"
MESSAGES = [
    DOCS / "how-to" / "troubleshoot.md",
    DOCS / "how-to" / "restore-from-pgbackrest.md",
    DOCS / "reference" / "messages.md",
]
SOURCES = Path(pgpool_recovery.__file__).parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


NAMED: dict[str, tuple[str, type[Any]]] = {
    "node": ("N", NodeSettings),
    "method": ("NAME", MethodSettings),
}
TABLES: dict[str, type[Any]] = {
    f"{field.name}.{NAMED[field.name][0]}" if field.name in NAMED else field.name: (
        NAMED[field.name][1] if field.name in NAMED else type(_default(field))
    )
    for field in fields(Settings)
}
"""The headings of the page, each with its dataclass."""


def rows(heading: str) -> dict[str, str]:
    """Return the rows of the tables below a heading, by the setting in their first cell."""
    section = SETTINGS.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` (\|.*\|.*\|)$", section, re.MULTILINE))


def as_toml(value: object) -> str | None:
    """Return a default as it is written in the file; None if it is discovered or absent."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case StrEnum() | str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(str(as_toml(one)) for one in value)}]"
        case _:
            return str(value)


FIELDS = [(heading, field) for heading, table in TABLES.items() for field in fields(table)]


@pytest.mark.parametrize(
    ("heading", "field"), FIELDS, ids=lambda value: getattr(value, "name", value)
)
def test_setting_is_described_with_its_default(heading: str, field: Field[Any]) -> None:
    row = rows(heading).get(field.name)
    assert row is not None, f"docs/reference/settings.md does not name {heading}.{field.name}"
    default = as_toml(_default(field))
    assert default is None or f"`{default}`" in row or f" {default} |" in row, row


@pytest.mark.parametrize("heading", TABLES)
def test_no_unknown_setting_is_described(heading: str) -> None:
    assert set(rows(heading)) <= {field.name for field in fields(TABLES[heading])}


@pytest.mark.parametrize("method", Method)
def test_method_is_explained(method: Method) -> None:
    assert f"\n### {method}\n" in METHODS.read_text()


FAILURES = {"Rejection"} | {kind.__name__ for kind in kinds(RecoveryError)} - {"Bug"}


def messages() -> Iterator[str]:
    """Return the longest constant part of each message."""
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in FAILURES and node.args:
                parts = [p for p in ast.walk(node.args[0]) if isinstance(p, ast.Constant)]
                texts = [part.value for part in parts if isinstance(part.value, str)]
                yield max(texts, key=len, default="").strip(' "')


@pytest.mark.parametrize("message", sorted(set(messages()) - {""}))
def test_message_can_be_looked_up(message: str) -> None:
    """One of these pages explains what it means and what to do about it."""
    assert any(message in page.read_text() for page in MESSAGES)


def adm_functions() -> dict[str, list[str]]:
    """Return the functions of pgpool_adm, each with the names of its result columns."""
    found = re.findall(r"{{ rows? (\w+)\(.*?\n(.*?) }}", ADM_SQL.read_text(), re.DOTALL)
    return {name: re.findall(r"(\w+) [\w\[\]]+(?:,|$)", columns) for name, columns in found}


@pytest.mark.parametrize("name", adm_functions())
def test_function_of_pgpool_adm_is_described_with_its_columns(name: str) -> None:
    page = ADM.read_text()
    assert f"| [`{name}(" in page
    [section] = re.findall(rf"\n### [\w, ]*{name}\b.*?\n(.*?)\n##", page, re.DOTALL)
    for column in adm_functions()[name]:
        assert re.search(rf"\b{column}\b", section), column


def test_functions_of_pgpool_adm_are_found() -> None:
    assert len(adm_functions()) == 13
    assert adm_functions()["pcp_proc_count"] == ["process_count", "pids"]


def findings() -> dict[str, str]:
    """Return the findings on the page, each with its severity."""
    section = CHECK.read_text().partition("\n## The findings\n")[2]
    return dict(re.findall(r"^\| ([^|]+) \| (error|warning|info|ok) \|", section, re.MULTILINE))


def test_findings_are_those_of_the_code_with_their_severity() -> None:
    assert findings() == {kind.title: str(kind.severity) for kind in Kind}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_link_targets_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


COMMAND_FILES = [*PAGES, REPOSITORY / "Makefile", *(REPOSITORY / "ci").glob("*-*")]
PINNED = re.compile(r"^([a-z-]+)==(\S+)", re.MULTILINE)
PIP = re.compile(r"\bpip3? (install|wheel|download)\b.*")


def pip_commands(text: str) -> list[str]:
    """Return the pip commands in a page or a Makefile; a backslash continues a line."""
    return [match[0] for match in PIP.finditer(text.replace("\\\n", " "))]


def is_pinned(command: str) -> bool:
    """Return whether a pip command can install only what has a hash or is already here."""
    words = set(command.split())
    return "--require-hashes" in words or words >= {"--no-deps", "--no-build-isolation"}


@pytest.mark.parametrize("file", COMMAND_FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_whatever_pip_installs_has_a_hash(file: Path) -> None:
    """This includes build backends: an isolated build takes the index's current version."""
    assert [line for line in pip_commands(file.read_text()) if not is_pinned(line)] == []


PAGE_WITH_PIP = REPOSITORY / "docs" / "how-to" / "install.md"


def test_pip_commands_are_found_and_told_apart() -> None:
    for file, number in ((PAGE_WITH_PIP, 1), (REPOSITORY / "Makefile", 9)):
        assert len(pip_commands(file.read_text())) == number
    assert not is_pinned("pip install --no-deps .")
    assert not is_pinned("pip install --no-index --find-links wheels pgpool-recovery")
    assert is_pinned(pip_commands("pip install \\\n  --require-hashes -r x")[0])


@pytest.mark.parametrize("name", ["runtime", "build", "development", "lowest", "site"])
def test_lock_file_has_a_hash_for_each_package(name: str) -> None:
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert packages
    assert all("==" in line and "--hash=sha256:" in line for line in packages)


@pytest.mark.parametrize("group", ["dependencies", "test"])
def test_lowest_versions_that_are_allowed_are_those_that_are_tested(group: str) -> None:
    """After a change of a lower bound, run `make lock` to write the lock files again."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    needed = project["project"].get(group) or project["dependency-groups"][group]
    locked = (REPOSITORY / "requirements" / "lowest.txt").read_text()
    pinned = {match[1]: Version(match[2]) for match in PINNED.finditer(locked)}
    bounds = [word.split(">=") for word in needed if isinstance(word, str)]
    assert bounds
    assert {name: pinned[name] for name, _ in bounds} == {n: Version(v) for n, v in bounds}


def test_build_backend_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    [needed] = project["build-system"]["requires"]
    assert project["dependency-groups"]["build"] == [needed]
    locked = (REPOSITORY / "requirements" / "build.txt").read_text()
    assert locked.startswith(f"{needed.partition('>')[0]}==")


def test_security_page_names_the_tests_of_each_promise() -> None:
    """The page names exactly the files whose tests have the number of the promise."""
    page = (DOCS / "explanation" / "security.md").read_text().partition("\n## Promises")[2]
    named = {
        number: set(re.findall(r"`([\w/]+\.py)`", places))
        for number, places in re.findall(r"^\| (\d+) \|.*\| (.*) \|$", page, re.MULTILINE)
    }
    tests = REPOSITORY / "tests"
    found: dict[str, set[str]] = {}
    for file in tests.rglob("*.py"):
        for numbers in re.findall(
            r"^def test_promise_(\d+(?:_and_\d+)*)_", file.read_text(), re.MULTILINE
        ):
            for number in numbers.split("_and_"):
                found.setdefault(number, set()).add(str(file.relative_to(tests)))
    assert named == found
    assert {str(number) for number in range(1, 10)} <= set(named)
