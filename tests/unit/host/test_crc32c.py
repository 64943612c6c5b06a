"""CRC-32C of this host's libext2fs, against known values."""

import pytest

from pgpool_recovery.host import crc32c
from pgpool_recovery.host.crc32c import Crc32c, is_available


@pytest.mark.parametrize(
    ("data", "expected"),
    # RFC 3720, B.4: 32 bytes each.
    [(bytes(32), "aa36918a"), (b"\xff" * 32, "43aba862"), (bytes(range(32)), "4e79dd46")],
)
def test_known_values_in_pieces(data: bytes, expected: str) -> None:
    summed = Crc32c()
    for at in range(0, len(data), 5):
        summed.update(data[at : at + 5])
    assert summed.digest().hex() == expected


def test_a_host_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_available()
    monkeypatch.setattr(crc32c, "LIBRARY", "libext2fs-of-nobody.so.2")
    crc32c._library.cache_clear()
    try:
        assert not is_available()
        with pytest.raises(LookupError):
            Crc32c()
    finally:
        crc32c._library.cache_clear()
