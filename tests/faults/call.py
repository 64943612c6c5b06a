"""A call of a stage by SQL, which a test can end in the middle."""

from tests.harness.postgresql import Server
from tests.harness.until import DeadlineError, until


class Call:
    """A call that is running."""

    def __init__(
        self, primary: Server, target: Server, name: str, *, is_start: bool = False
    ) -> None:
        self._primary = primary
        self._log = primary.machine.home / f"{name}.out"
        whom = f"'{target.machine.address}', '{target.data_directory}'"
        query = (
            f"SELECT pgpool_recovery('recovery_1st_stage', {whom}, '{primary.port}', "
            f"{target.node_id}, '{target.port}', '{primary.machine.address}')"
        )
        if is_start:
            query = f"SELECT pgpool_remote_start({whom})"
        self._begin = query.partition("(")[0]
        argv = [primary.installation.program("psql"), "-X", "-d", "postgres", "-c", query]
        environment = {"PGHOST": str(primary.machine.socket_directory)}
        self.psql = primary.machine.spawn(argv, log=self._log, env=environment)
        until(lambda: not self.psql.is_alive or self._pids(), within_s=10, what="the call to begin")
        self.backend_pid = next(iter(self._pids()), 0)

    def _pids(self) -> list[int]:
        rows = self._primary.sql(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE "
            f"'{self._begin}(%' AND pid <> pg_backend_pid()"
        )
        return [int(pid) for (pid,) in rows]

    @property
    def said(self) -> str:
        """The output of psql so far."""
        return self._primary.machine.path(self._log).read_text()

    def says(self, text: str, *, within_s: float = 30) -> None:
        """Wait until psql has shown a text."""
        try:
            until(lambda: text in self.said, within_s=within_s, what=f'"{text}" to be said')
        except DeadlineError as error:
            error.add_note(self.said)
            raise

    def ends(self, within_s: float = 10) -> str:
        """Wait for the end of the call and return what psql showed."""
        assert self.psql.wait(within_s) is not None, "the call is still running"
        return self.said
