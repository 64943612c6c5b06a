"""Whom the stage commands believe."""

import pytest

from pgpool_recovery.cli.stage import CALLED_BY_SERVER, CALLER, _may_name_hosts


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({CALLED_BY_SERVER: "x", CALLER: "superuser"}, True),
        ({CALLED_BY_SERVER: "x", CALLER: "role"}, False),
        ({CALLED_BY_SERVER: "x"}, False),
    ],
)
def test_hosts_are_named_by_a_superuser_or_by_hand(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, expected: bool
) -> None:
    for name in (CALLED_BY_SERVER, CALLER):
        monkeypatch.delenv(name, raising=False)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert _may_name_hosts() == expected
