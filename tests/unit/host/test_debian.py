"""Clusters of postgresql-common are found even if pg_lsclusters cannot list them."""

from pathlib import Path

import pytest

from pgpool_recovery.host import debian
from pgpool_recovery.host.debian import DebianCluster, find_cluster
from pgpool_recovery.host.stop import Stop

FAILS = """#!/bin/sh
echo "Error: /data is not accessible; please fix the directory permissions"
exit 1
"""


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, etc = tmp_path / "bin", tmp_path / "etc"
    programs.mkdir()
    program = programs / "pg_lsclusters"
    program.write_text(FAILS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(debian, "CONFIGURATION", etc)
    for name in ("main", "other"):
        (etc / "15" / name).mkdir(parents=True)
    (etc / "15" / "other" / "postgresql.conf").write_text("port = 5433\n")
    return etc / "15" / "main"


def test_node_without_data_and_socket_directory_is_found_by_its_configuration(
    configuration: Path, tmp_path: Path
) -> None:
    """pg_lsclusters lists no cluster at all when it cannot tell who owns one data directory."""
    (configuration / "postgresql.conf").write_text("include 'conf.d/own.conf'\n")
    (configuration / "conf.d").mkdir()
    (configuration / "conf.d" / "own.conf").write_text(f"data_directory = '{tmp_path}/data'\n")
    found = find_cluster(tmp_path / "data", Stop())
    assert found == DebianCluster("15", "main", "/var/log/postgresql/postgresql-15-main.log")
    assert find_cluster(tmp_path / "elsewhere", Stop()) is None


def test_log_is_the_target_of_the_link(configuration: Path, tmp_path: Path) -> None:
    (configuration / "postgresql.conf").write_text(f"data_directory '{tmp_path}/data'\n")
    (configuration / "log").symlink_to("/somewhere/log")
    found = find_cluster(tmp_path / "data", Stop())
    assert found is not None
    assert found.log_file == "/somewhere/log"


@pytest.mark.parametrize(
    ("text", "is_asked", "is_found"),
    [
        ("data_directory = '{0}/other'\n", False, False),
        ("data_directory = '{0}/data'\n", False, True),
        ("data_directory = '{0}/link'\n", False, True),
        ("port = 5432\n", True, True),
        ("data_directory = '{0}/other'\ninclude 'none'\n", True, True),
        (None, False, False),
    ],
)
def test_pg_lsclusters_is_run_only_if_the_files_do_not_tell(
    configuration: Path, tmp_path: Path, text: str | None, *, is_asked: bool, is_found: bool
) -> None:
    """Such as an included file that cannot be read; a directory without the file is no cluster."""
    (configuration.parent / "other" / "postgresql.conf").unlink()
    line = f"15 main 5432 down postgres {tmp_path}/data /var/log/postgresql/it.log"
    script = f"#!/bin/sh\ntouch {tmp_path}/asked\necho '{line}'\n"
    (tmp_path / "bin" / "pg_lsclusters").write_text(script)
    (tmp_path / "link").symlink_to("data")
    if text is not None:
        (configuration / "postgresql.conf").write_text(text.format(tmp_path))
    assert (find_cluster(tmp_path / "data", Stop()) is not None) == is_found
    assert (tmp_path / "asked").exists() == is_asked


def test_pg_lsclusters_is_run_for_a_configuration_that_is_a_dangling_link(
    configuration: Path, tmp_path: Path
) -> None:
    (configuration.parent / "other" / "postgresql.conf").unlink()
    script = f"#!/bin/sh\ntouch {tmp_path}/asked\n"
    (tmp_path / "bin" / "pg_lsclusters").write_text(script)
    (configuration / "postgresql.conf").symlink_to("/nowhere")
    assert find_cluster(tmp_path / "data", Stop()) is None
    assert (tmp_path / "asked").exists()
