"""pgpool-recovery install is what a user runs first; uninstall undoes it."""

import shutil
from pathlib import Path

import psycopg
import pytest

from tests.harness.command import CommandError
from tests.harness.installation import Installation, copied_installation
from tests.harness.local_host import LocalHost
from tests.harness.postgresql import Server
from tests.harness.product import Product, create_extension, install_extension
from tests.harness.workspace import Workspace

STAGES = [
    "pgpool_recovery_check",
    "pgpool_recovery_plan",
    "pgpool_remote_start",
    "recovery_1st_stage",
    "recovery_2nd_stage",
]


@pytest.fixture
def fresh(workspace: Workspace) -> Installation:
    """An unchanged copy of the installation."""
    return copied_installation(workspace.make_new("installation-") / "copy")


def install(
    machine: LocalHost, product: Product, *words: object, user: str = "root", verb: str = "install"
) -> str:
    return machine.run([str(product.command), verb, *map(str, words)], user=user).stdout


def contents(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir()}


def test_extension_comes_and_goes_and_the_stock_one_is_back(
    machine: LocalHost, fresh: Installation, product: Product
) -> None:
    before = contents(fresh.extension_directory)
    pg_config = ["--pg-config", fresh.program("pg_config")]
    assert "would do" in install(machine, product, *pg_config, "--dry-run")
    assert contents(fresh.extension_directory) == before

    said = install(machine, product, *pg_config)
    assert "pgpool_recovery--2.0.sql installed" in said
    assert "pgpool_recovery.control installed; the previous file is now" in said
    assert "ALTER EXTENSION pgpool_recovery UPDATE" in said
    installed = contents(fresh.extension_directory)

    again = install(machine, product, *pg_config)
    for name, files in {"pgpool_recovery": 7, "pgpool_adm": 9, "pgpool_regclass": 3}.items():
        assert again.count(f"/{name}") == files
    assert again.count("is already up to date") == 19
    assert contents(fresh.extension_directory) == installed

    assert "would do" in install(machine, product, *pg_config, "--dry-run", verb="uninstall")
    assert contents(fresh.extension_directory) == installed
    assert "restored" in install(machine, product, *pg_config, verb="uninstall")
    assert contents(fresh.extension_directory) == before
    assert "nothing is installed" in install(machine, product, *pg_config, verb="uninstall")


def test_stage_commands_come_and_go_and_own_scripts_are_back(
    server: Server, product: Product
) -> None:
    machine, data = server.machine, server.data_directory
    assert isinstance(machine, LocalHost)
    machine.write_file(data / "recovery_1st_stage", "#!/bin/sh\n# mine\n", mode=0o755)
    words = ["--data-directory", str(data)]
    said = install(machine, product, *words, user="postgres")
    assert "the previous file is now recovery_1st_stage.before-pgpool-recovery" in said
    for name in STAGES:
        assert (data / name).stat().st_mode & 0o777 == 0o700
    assert install(machine, product, *words, user="postgres").count("is already up to date") == len(
        STAGES
    )

    install(machine, product, *words, user="postgres", verb="uninstall")
    assert (data / "recovery_1st_stage").read_text() == "#!/bin/sh\n# mine\n"
    assert not (data / "pgpool_remote_start").exists()
    (data / "recovery_1st_stage").unlink()


def test_stage_commands_read_the_settings_file_that_was_named(
    server: Server, product: Product
) -> None:
    machine, data = server.machine, server.data_directory
    assert isinstance(machine, LocalHost)
    file = machine.directory / "it's mine.toml"
    words = ["--data-directory", str(data), "--config", str(file)]
    machine.write_file(file, "[policy]\nkeep_old = 'sometimes'\n", mode=0o644)
    with pytest.raises(CommandError, match="keep_old"):
        install(machine, product, *words, user="postgres")
    machine.write_file(file, "[policy]\nkeep_old = 'never'\n", mode=0o644)
    install(machine, product, *words, user="postgres")
    machine.write_file(file, "nonsense = 1\n", mode=0o644)
    with pytest.raises(CommandError) as caught:
        server.execute("SELECT pgpool_recovery('recovery_1st_stage', 'host', '/data')")
    assert f"settings file {file} has 1 error" in caught.value.completed.output
    assert "unknown setting nonsense" in caught.value.completed.output
    install(machine, product, "--data-directory", str(data), user="postgres", verb="uninstall")


def test_stage_commands_are_installed_by_the_owner(server: Server, product: Product) -> None:
    machine = server.machine
    assert isinstance(machine, LocalHost)
    with pytest.raises(CommandError) as caught:
        install(machine, product, "--data-directory", server.data_directory)
    assert "belongs to postgres" in str(caught.value)
    run_as_owner = f"runuser -u postgres -- {product.command}"
    words = f"--data-directory {server.data_directory}"
    assert f"HINT:  Run: {run_as_owner} install {words}\n" in f"{caught.value}\n"
    with pytest.raises(CommandError) as caught:
        install(machine, product, *words.split(), verb="uninstall")
    assert f"HINT:  Run: {run_as_owner} uninstall {words}\n" in f"{caught.value}\n"
    with pytest.raises(CommandError, match=r'"nobody" may not read data directory'):
        install(machine, product, *words.split(), user="nobody")
    with pytest.raises(CommandError, match="is not a data directory"):
        install(machine, product, "--data-directory", "/tmp", user="postgres")


def test_server_files_are_installed_by_root(
    machine: LocalHost, fresh: Installation, product: Product
) -> None:
    with pytest.raises(CommandError, match="Permission denied"):
        install(machine, product, "--pg-config", fresh.program("pg_config"), user="postgres")
    pg_config = ["--pg-config", fresh.program("pg_config")]
    install(machine, product, *pg_config)
    with pytest.raises(CommandError, match=r"could not (remove|restore) .*: Permission denied"):
        install(machine, product, *pg_config, user="postgres", verb="uninstall")
    install(machine, product, *pg_config, verb="uninstall")
    with pytest.raises(CommandError, match="could not run /nowhere/pg_config: No such file"):
        install(machine, product, "--pg-config", "/nowhere/pg_config")


PGPOOL_CONF = "backend_clustering_mode = 'streaming_replication'\nrecovery_password = 'S3cret'\n"


def test_pgpool_conf_in_a_directory_of_postgres_is_written_by_postgres_and_not_by_root(
    machine: LocalHost, product: Product
) -> None:
    """Root refuses to write there, since a link could make it hand any file over to postgres."""
    directory = machine.directory / "pgpool"
    machine.make_directory(directory)
    conf, victim = directory / "pgpool.conf", machine.directory / "victim"
    machine.write_file(victim, "victim", mode=0o600)
    shutil.chown(victim, "root", "root")
    machine.write_file(conf, PGPOOL_CONF, mode=0o640)
    shutil.chown(conf, "root", "postgres")  # As the package's installation leaves it.
    (directory / ".pgpool.conf.new").symlink_to(victim)
    words = ["--pgpool-conf", str(conf), "--yes"]
    with pytest.raises(CommandError) as caught:
        install(machine, product, *words)
    said = caught.value.completed.output
    assert f"ERROR:  root does not write {conf}: others could redirect it" in said
    assert "sudo -u postgres" in said
    assert conf.read_text() == PGPOOL_CONF
    assert (victim.read_text(), victim.owner()) == ("victim", "root")

    (directory / ".pgpool.conf.new").unlink()
    install(machine, product, *words, user="postgres")
    assert "failover_command" in conf.read_text()
    assert (conf.owner(), conf.group(), conf.stat().st_mode & 0o777) == (
        "postgres",
        "postgres",
        0o640,
    )
    assert [entry.name for entry in directory.iterdir()] == ["pgpool.conf"]
    with pytest.raises(CommandError, match="root does not write"):
        install(machine, product, *words[:2], verb="uninstall")
    install(machine, product, *words[:2], user="postgres", verb="uninstall")
    before, after = conf.read_text()[: len(PGPOOL_CONF)], conf.read_text()[len(PGPOOL_CONF) :]
    assert before == PGPOOL_CONF
    assert [line.partition(" # ")[0] for line in after.splitlines()] == [
        "recovery_1st_stage_command = ''",
        "failover_command = ''",
        "follow_primary_command = ''",
    ]


def test_data_directory_does_not_become_roots_by_its_links(
    machine: LocalHost, product: Product
) -> None:
    directory, victim = machine.directory / "not-data", machine.directory / "script-victim"
    machine.make_directory(directory)
    machine.write_file(victim, "victim", mode=0o600)
    (directory / "PG_VERSION").symlink_to("/etc/debian_version")
    (directory / ".recovery_1st_stage.new").symlink_to(victim)
    with pytest.raises(CommandError, match="belongs to postgres"):
        install(machine, product, "--data-directory", directory)
    assert victim.read_text() == "victim"


def test_new_databases_have_what_template1_has(server: Server) -> None:
    server.execute("CREATE DATABASE of_template1")
    query = "SELECT extversion FROM pg_extension WHERE extname = 'pgpool_recovery'"
    assert server.sql(query, database="of_template1") == [("2.0",)]
    server.execute("DROP DATABASE of_template1")


def test_missing_pl_python_is_named_with_its_package(
    server: Server, product: Product, machine: LocalHost
) -> None:
    library = server.installation.prefix / "lib/postgresql"
    (found,) = library.glob("*/lib/plpython3.so")
    found.rename(found.with_suffix(".away"))
    try:
        pg_config = ["--pg-config", server.installation.program("pg_config")]
        said = install(machine, product, *pg_config)
        server.execute("CREATE DATABASE without TEMPLATE template0")
        with (
            psycopg.connect(server.conninfo(dbname="without"), autocommit=True) as connection,
            pytest.raises(psycopg.errors.UndefinedFile) as caught,
        ):
            connection.execute("CREATE EXTENSION pgpool_recovery")
    finally:
        found.with_suffix(".away").rename(found)
        server.execute("DROP DATABASE IF EXISTS without")
    major = server.installation.major
    assert f"postgresql-plpython3-{major}" in said
    diagnosis = caught.value.diag
    assert diagnosis.message_primary == (
        "pgpool_recovery needs PL/Python, which this server cannot load"
    )
    assert "plpython3" in (diagnosis.message_detail or "")
    assert f"postgresql-plpython3-{major} (Debian, Ubuntu) or postgresql{major}-plpython3" in (
        diagnosis.message_hint or ""
    )


def test_extension_works_in_every_database_with_or_without_plpython3u(
    stock_server: Server, product: Product
) -> None:
    server = stock_server
    install_extension(server.machine, server.installation, product)
    create_extension(server)
    for database in ("plain_one", "with_language"):
        server.execute(f"CREATE DATABASE {database} TEMPLATE template0")
    server.execute("CREATE EXTENSION plpython3u", database="with_language")
    for database in ("plain_one", "with_language"):
        server.execute("CREATE EXTENSION pgpool_recovery", database=database)
        assert server.sql("SELECT pgpool_pgctl('status', '')", database=database) == [("t",)]
