"""XXH3 of 128 bits by this host's libxxhash, against known values."""

import ctypes
from collections.abc import Iterator

import pytest

from pgpool_recovery.host import xxh3
from pgpool_recovery.host.xxh3 import LIBRARY, SECRET_BYTES, Xxh3, is_available

SECRET = bytes(range(SECRET_BYTES))


def own_secret() -> bytes:
    """Return the library's own secret, with which XXH3 is computed where none is given."""
    secret = ctypes.create_string_buffer(SECRET_BYTES)
    ctypes.CDLL(LIBRARY).XXH3_generateSecret_fromSeed(secret, ctypes.c_uint64(0))
    return secret.raw


def sanity_buffer(size_bytes: int) -> bytes:
    """Return the bytes of which xxhsum checks the values below (cli/xsum_sanity_check.c)."""
    made, state = bytearray(), 2654435761
    for _ in range(size_bytes):
        made.append(state >> 56)
        state = state * 11400714785074694797 % 2**64
    return bytes(made)


@pytest.mark.parametrize(
    ("data", "low", "high"),
    [
        (b"", 0x6001C324468D497F, 0x99AA06D3014798D8),
        (b"a", 0xE6C632B61E964E1F, 0xA96FAF705AF16834),
        (sanity_buffer(403), 0xCDEB804D65C6DEA4, 0x1B6DE21E332DD73D),
        (sanity_buffer(2367), 0xCB37AEB9E5D361ED, 0xE89C0F6FF369B427),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else "",
)
def test_known_values(data: bytes, low: int, high: int) -> None:
    expected = low.to_bytes(8, "little") + high.to_bytes(8, "little")
    hashed = Xxh3(own_secret())
    if data:
        assert hashed.digests_of(data, 8192) == expected
    digest = hashed._function(data, len(data), own_secret(), SECRET_BYTES)
    assert (digest.low64, digest.high64) == (low, high)


def test_digests_depend_on_the_whole_secret() -> None:
    data = sanity_buffer(8192)
    digests = {
        Xxh3(SECRET[:at] + bytes([SECRET[at] ^ 1]) + SECRET[at + 1 :]).digests_of(data, 8192)
        for at in range(SECRET_BYTES)
    }
    assert len(digests) == SECRET_BYTES
    assert Xxh3(SECRET).digests_of(data, 8192) not in digests


def test_nothing_has_no_digests() -> None:
    assert Xxh3(SECRET).digests_of(b"", 8192) == b""


@pytest.mark.parametrize("length", [0, 135, SECRET_BYTES - 1, SECRET_BYTES + 1])
def test_secret_of_another_length(length: int) -> None:
    """The library would read past the end of one that is too short."""
    with pytest.raises(ValueError, match=f"has {length} bytes"):
        Xxh3(bytes(length))


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Have the library loaded again, before and after a test."""
    xxh3._function.cache_clear()
    yield
    xxh3._function.cache_clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("name", "value"),
    [("LIBRARY", "libxxhash-of-nobody.so.0"), ("CHECK_VALUE", (1, 2))],
    ids=["without the library", "with one before 0.8.0"],
)
def test_host(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    assert is_available()
    monkeypatch.setattr(xxh3, name, value)
    xxh3._function.cache_clear()
    assert not is_available()
    with pytest.raises(LookupError):
        Xxh3(SECRET)
