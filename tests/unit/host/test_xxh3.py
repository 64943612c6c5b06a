"""Digests of two keyed XXH3 hashes by this host's libxxhash, against known values."""

import ctypes
import struct
from collections.abc import Iterator

import pytest

from pgpool_recovery.host import xxh3
from pgpool_recovery.host.xxh3 import KEY_BYTES, LIBRARY, SECRET_BYTES, Xxh3, is_available

KEY = bytes(range(KEY_BYTES))
SECRET = KEY + bytes(at * at % 251 for at in range(KEY_BYTES))
TOP_BIT = 2**63


def own_key() -> bytes:
    """Return the library's own key, with which XXH3 is computed where none is given."""
    key = ctypes.create_string_buffer(KEY_BYTES)
    ctypes.CDLL(LIBRARY).XXH3_generateSecret_fromSeed(key, ctypes.c_uint64(0))
    return key.raw


def sanity_buffer(size_bytes: int) -> bytes:
    """Return the bytes of which xxhsum checks the values below (cli/xsum_sanity_check.c)."""
    made, state = bytearray(), 2654435761
    for _ in range(size_bytes):
        made.append(state >> 56)
        state = state * 11400714785074694797 % 2**64
    return bytes(made)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"a", 0xE6C632B61E964E1F),
        (sanity_buffer(403), 0xCDEB804D65C6DEA4),
        (sanity_buffer(2367), 0xCB37AEB9E5D361ED),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else "",
)
def test_known_values(data: bytes, value: int) -> None:
    half = value.to_bytes(8, "little")
    assert Xxh3(own_key() + own_key()).digests_of(data, 8192) == half + half
    assert Xxh3(own_key() + KEY).digests_of(data, 8192)[:8] == half
    assert Xxh3(KEY + own_key()).digests_of(data, 8192)[8:] == half


def test_digests_of_blocks_are_in_their_order() -> None:
    data, hashed = sanity_buffer(20000), Xxh3(SECRET)
    each = [hashed.digests_of(data[at : at + 8192], 8192) for at in (0, 8192, 16384)]
    assert hashed.digests_of(data, 8192) == b"".join(each)
    assert hashed.digests_of(memoryview(data), 8192) == b"".join(each)
    assert hashed.digests_of(memoryview(bytearray(data)), 8192) == b"".join(each)


def prepared_for(key: bytes) -> tuple[bytes, bytes]:
    """Return two blocks that XXH3 cannot tell apart with this key.

    Of two words of 64 bits that are multiplied into the same sum, the highest bit changes. That
    changes each product by 2**31 times the lower half of the word and the key, so the halves have
    to be the same. Whoever does not know the key meets one that fits once in 2**33 times, as the
    two changes must have opposite signs as well.
    """
    places, keys = (26, 74), [struct.unpack_from("<Q", key, 8 * at)[0] for at in (5, 11)]
    words = [keys[0] & 0xFFFFFFFF, keys[1] & 0xFFFFFFFF | (~(keys[0] ^ keys[1]) & TOP_BIT)]
    blocks = bytearray(sanity_buffer(8192)), bytearray(sanity_buffer(8192))
    for place, word in zip(places, words, strict=True):
        struct.pack_into("<Q", blocks[0], 8 * place, word ^ 7)
        struct.pack_into("<Q", blocks[1], 8 * place, word ^ 7 ^ TOP_BIT)
    return bytes(blocks[0]), bytes(blocks[1])


@pytest.mark.parametrize("half", [0, 1])
def test_blocks_that_are_prepared_for_one_key(half: int) -> None:
    one, other = prepared_for(SECRET[half * KEY_BYTES :][:KEY_BYTES])
    hashed = Xxh3(SECRET)
    first, second = hashed.digests_of(one, 8192), hashed.digests_of(other, 8192)
    assert one != other
    assert first != second
    same = slice(8 * half, 8 * half + 8)
    assert first[same] == second[same], "or this tests nothing"


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
    [("LIBRARY", "libxxhash-of-nobody.so.0"), ("CHECK_VALUE", 1)],
    ids=["without the library", "with one before 0.8.0"],
)
def test_host(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    assert is_available()
    monkeypatch.setattr(xxh3, name, value)
    xxh3._function.cache_clear()
    assert not is_available()
    with pytest.raises(LookupError):
        Xxh3(SECRET)
