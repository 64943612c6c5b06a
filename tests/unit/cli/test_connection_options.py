"""The connection options count, and an error in one names the option."""

import pytest

from pgpool_recovery.cli.connection_options import Where
from pgpool_recovery.domain.error import UsageError


def test_host_of_the_command_line_is_refused_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPOOL_RECOVERY_CONFIG", raising=False)
    with pytest.raises(UsageError, match='invalid host name "admin@server2"') as caught:
        Where(host="admin@server2").settings()
    assert "--host" in (caught.value.hint or "")
    assert "backend_hostname" not in (caught.value.hint or "")
