"""The scripts of needs are sh: they run, can be run again, and record how they are undone."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

import pgpool_recovery
from pgpool_recovery.domain.error import UsageError
from pgpool_recovery.domain.record import replace
from pgpool_recovery.install.placed_file import place
from pgpool_recovery.install.stage_commands import stage_commands
from pgpool_recovery.setup.decide import decide
from pgpool_recovery.setup.need import Need, filled, made, needs_of, words
from pgpool_recovery.setup.script import in_main, lacking, script
from tests.unit.setup.stock import BACKENDS, around, host, node

SOURCE = Path(pgpool_recovery.__file__).parents[1]
ME = pwd.getpwuid(os.geteuid()).pw_name


def run(text: str, records: Path) -> str:
    """Run a script with its records elsewhere; return its output."""
    moved = text.replace("/var/lib/pgpool-recovery-setup", str(records))
    done = subprocess.run(["sh", "-s"], input=moved, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def need_of(file: Path, line: str) -> Need:
    return Need(
        "server1",
        "32-line",
        "a line is missing",
        "It is needed.",
        test=words("has_line", str(file), line),
        commands=(words("add_line", ME, str(file), line),),
        undo=(words("remove_lines", ME, str(file), line),),
    )


@pytest.mark.parametrize("before", [None, "one\n", "one"])
def test_line_is_added_once_and_taken_back(tmp_path: Path, before: str | None) -> None:
    file, records = tmp_path / "file", tmp_path / "records"
    if before is not None:
        file.write_text(before)
    need = need_of(file, "two 'and' $three")
    assert run(script([need]), records) == "32-line: done\n"
    assert run(script([need]), records) == "32-line: is there already\n"
    first = "" if before is None else "one\n"
    assert file.read_text() == f"{first}two 'and' $three\n"
    run(in_main((records / "32-line.undo").read_text()), records)
    assert (file.read_text() if file.exists() else None) == (first or None)


def test_first_line_is_before_all_others_and_keeps_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "pg_hba.conf"
    file.write_text("reject\n")
    file.chmod(0o640)
    run(in_main(words("first_line", ME, str(file), "host x")), tmp_path)
    assert file.read_text() == "host x\nreject\n"
    assert file.stat().st_mode & 0o777 == 0o640


def test_lines_are_removed_by_their_beginning_only(tmp_path: Path) -> None:
    file = tmp_path / ".pgpass"
    file.write_text("a:1:x\nb.c:1:y\nbxc:1:z\n")
    run(in_main(words("remove_lines", ME, str(file), "b.c:1:")), tmp_path)
    assert file.read_text() == "a:1:x\nbxc:1:z\n"


def test_failure_stops_and_is_on_record(tmp_path: Path) -> None:
    """What a failed step began can be undone."""
    need = replace(need_of(tmp_path / "file", "x"), commands=("false", "echo not reached"))
    text = script([need]).replace("/var/lib/pgpool-recovery-setup", str(tmp_path / "records"))
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not reached" not in done.stdout
    assert (tmp_path / "records" / "32-line.undo").exists()


def test_first_record_counts(tmp_path: Path) -> None:
    """It knows what was there before the first attempt."""
    need = need_of(tmp_path / "file", "x")
    run(script([need]), tmp_path / "records")
    run(script([replace(need, test="false", undo=("echo other",))]), tmp_path / "records")
    assert "remove_lines" in (tmp_path / "records" / "32-line.undo").read_text()


def test_commands_cannot_read_the_rest_of_the_script(tmp_path: Path) -> None:
    need = replace(need_of(tmp_path / "file", "x"), test="false", commands=("cat", "echo next"))
    assert run(script([need]), tmp_path / "records") == "next\n32-line: done\n"


def test_every_script_of_a_stock_cluster_is_sh() -> None:
    needs = needs_of(decide(around()))
    for name in {need.host for need in needs}:
        text = script([need for need in needs if need.host == name])
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_made_value_is_quoted(tmp_path: Path) -> None:
    key = "key of x"
    commands = (words("printf", "%s\\n", made(key), f"'{made(key)}'"),)
    need = replace(need_of(tmp_path / "f", "x"), test="false", commands=commands)
    assert lacking(need, [key]) == [key]
    value = "a'; $HOME `id`"
    said = run(script([filled(need, {key: value})]), tmp_path)
    assert said == f"{value}\n'{value}'\n32-line: done\n"


def test_control_characters_cannot_become_commands() -> None:
    with pytest.raises(UsageError, match="control character"):
        words("echo", "a\nid")


def test_foreign_text_in_a_comment_stays_there(tmp_path: Path) -> None:
    need = replace(need_of(tmp_path / "file", "x"), what="a\ntouch planted", why="b\ntouch planted")
    assert "\ntouch" not in script([need])


def test_linked_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("one\n")
    link.symlink_to(real)
    run(in_main(words("first_line", ME, str(link), "two")), tmp_path)
    assert (link.is_symlink(), real.read_text()) == (True, "two\none\n")
    run(in_main(words("remove_lines", ME, str(link), "two")), tmp_path)
    assert (link.is_symlink(), real.read_text()) == (True, "one\n")


@pytest.mark.parametrize("function", ["first_line", "remove_lines"])
def test_full_disk_destroys_no_file(tmp_path: Path, function: str) -> None:
    file = tmp_path / "pg_hba.conf"
    file.write_text("local all all peer\n" * 100)
    text = in_main(f"ulimit -f 0\n{words(function, ME, str(file), 'host x')}")
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert file.read_text() == "local all all peer\n" * 100
    assert list(tmp_path.iterdir()) == [file]


def test_lines_of_a_later_attempt_are_undone_too(tmp_path: Path) -> None:
    """As for a node that was added between two runs."""
    records, file = tmp_path / "records", str(tmp_path / "file")
    need = need_of(tmp_path / "file", "one")
    undo = (*need.undo, words("remove_lines", ME, file, "two"))
    run(script([need]), records)
    run(script([replace(need, test="false", undo=undo)]), records)
    assert sorted((records / "32-line.undo").read_text().splitlines()) == sorted(undo)


def with_packages(tmp_path: Path, commands: str) -> str:
    """Run commands where the installed packages are the lines of a file."""
    fake = f'packages() {{ sort -u "{tmp_path}/installed"; }}\nmkdir -p "$RECORDS"\n'
    return run(in_main(fake + commands), tmp_path / "records")


def test_only_packages_of_setup_are_on_record(tmp_path: Path) -> None:
    """Not what the user has installed between two runs of setup, which undo would purge."""
    installed, added = tmp_path / "installed", tmp_path / "records" / "packages.added"

    def install(name: str) -> str:
        return f"packages_before; echo {name} >>{installed}; packages_added"

    installed.write_text("base\n")
    with_packages(tmp_path, install("pgpool-recovery"))
    with_packages(tmp_path, f"echo postgresql-17 >>{installed}")
    with_packages(tmp_path, install("postgresql-plpython3-17"))
    assert added.read_text() == "pgpool-recovery\npostgresql-plpython3-17\n"


def test_after_an_interruption_only_our_own_packages_are_on_record(tmp_path: Path) -> None:
    installed, added = tmp_path / "installed", tmp_path / "records" / "packages.added"
    installed.write_text("base\n")
    with_packages(tmp_path, f"packages_before; echo pgpool-recovery >>{installed}")
    with_packages(tmp_path, f"echo postgresql-17 >>{installed}")
    said = with_packages(tmp_path, f"packages_before; echo libx >>{installed}; packages_added")
    assert said == "kept, since you may have installed them: postgresql-17\n"
    assert added.read_text() == "libx\npgpool-recovery\n"


def test_unknown_packages_stop_the_installation(tmp_path: Path) -> None:
    """An empty record would let undo remove everything."""
    (tmp_path / "installed").write_text("")
    with pytest.raises(AssertionError):
        with_packages(tmp_path, "packages_before")
    assert not (tmp_path / "records" / "packages.before").exists()


def test_removal_of_packages_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "installed").write_text("base\n")
    assert with_packages(tmp_path, "packages_removed; packages_removed; echo ended") == "ended\n"


@pytest.mark.parametrize("function", ["add_line", "first_line"])
def test_line_is_not_there_twice_after_an_interruption(tmp_path: Path, function: str) -> None:
    file = tmp_path / "file"
    run(in_main(f"{words(function, ME, str(file), 'x')}\n" * 2), tmp_path)
    assert file.read_text() == "x\n"


def test_undo_goes_on_where_the_data_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "da ta"
    backend = replace(BACKENDS[1], data_directory=str(data))
    found = around(host(0), host(1, replace(node(1), backend=backend)), host(2))
    (need,) = (one for one in needs_of(decide(found)) if one.name == "20-stage-commands-1")
    undo = in_main("as_user() { echo uninstalled; }\n" + "\n".join(need.undo))
    assert run(undo, tmp_path).startswith(f"{data}: it has no data")
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    assert run(undo, tmp_path) == "uninstalled\n"


@pytest.mark.parametrize(("missing", "is_there"), [(0, True), (1, False), (5, False)])
def test_stage_commands_are_there_if_install_would_change_none(
    tmp_path: Path, missing: int, *, is_there: bool
) -> None:
    """`install` itself says so, for a node with or without the samples."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    for file in stage_commands(data)[missing:]:
        place(file, dry_run=False)
    backend = replace(BACKENDS[1], data_directory=str(data))
    found = around(host(0), host(1, replace(node(1), backend=backend)), host(2))
    (need,) = (one for one in needs_of(decide(found)) if one.name == "20-stage-commands-1")
    command = f"PYTHONPATH={SOURCE} {sys.executable} -m pgpool_recovery"
    ours = f'as_user() {{ shift 2; {command} "$@"; }}\n'
    said = run(in_main(f"{ours}if {need.test}; then echo there; else echo missing; fi"), tmp_path)
    assert said == ("there\n" if is_there else "missing\n")
