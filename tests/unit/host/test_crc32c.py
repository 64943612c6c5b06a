"""CRC-32C of this host's libraries, against known values."""

from collections.abc import Callable, Iterator

import pytest

from pgpool_recovery.host import crc32c
from pgpool_recovery.host.crc32c import LIBRARIES, Crc32c, is_available


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    crc32c._function.cache_clear()
    yield
    crc32c._function.cache_clear()


@pytest.mark.parametrize("load", LIBRARIES)
@pytest.mark.parametrize("kind", [bytes, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize(
    ("data", "expected"),
    # RFC 3720, B.4: 32 bytes each.
    [(bytes(32), "aa36918a"), (b"\xff" * 32, "43aba862"), (bytes(range(32)), "4e79dd46")],
)
def test_known_values_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[[], crc32c._Function],
    kind: Callable[[bytes], bytes | memoryview],
    data: bytes,
    expected: str,
) -> None:
    try:
        load()
    except OSError as error:
        pytest.skip(f"missing: {error}")
    monkeypatch.setattr(crc32c, "LIBRARIES", [load])
    summed, pieces = Crc32c(), kind(data)
    for at in range(0, len(data) + 5, 5):
        summed.update(pieces[at : at + 5])
    assert summed.digest().hex() == expected


def test_a_library_that_computes_something_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crc32c, "LIBRARIES", [lambda: lambda so_far, _data, _size: so_far])
    assert not is_available()


def test_a_host_without_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_available()
    for name in ("ISAL", "EXT2FS"):
        monkeypatch.setattr(crc32c, name, f"{name}-of-nobody.so.2")
    crc32c._function.cache_clear()
    assert not is_available()
    with pytest.raises(LookupError):
        Crc32c()
