"""Recorded output of pgbackrest, by version and situation (tests/pgbackrest/record_info.py)."""

from pathlib import Path

_OUTPUTS = Path(__file__).with_name("outputs")
VERSIONS = {"2.45": 15, "2.55.1": 17, "2.60.0": 18}
"""Each with the PostgreSQL major that it had backed up."""


def recorded(version: str, situation: str) -> str:
    return (_OUTPUTS / version / f"{situation}.txt").read_text()
