"""The checksum of a control file is found in every major version, and tells a torn one."""

import pytest

from pgpool_recovery.domain.control_file import crc32c, is_whole
from tests.unit.domain.control_files import WITHOUT_ZEROS, control_file_of


@pytest.mark.parametrize("major", WITHOUT_ZEROS)
def test_control_file_is_whole(major: int) -> None:
    assert is_whole(control_file_of(major))


@pytest.mark.parametrize("major", WITHOUT_ZEROS)
def test_each_changed_byte_is_noticed(major: int) -> None:
    whole = control_file_of(major)
    end = len(whole.rstrip(b"\0")) + 1
    for at in range(0, end, 7):
        changed = bytearray(whole)
        changed[at] ^= 1
        assert not is_whole(bytes(changed)), at


@pytest.mark.parametrize("length", [0, 100, 290, 4096, 8191])
def test_file_that_ends_early(length: int) -> None:
    whole = control_file_of(18)
    assert is_whole(whole[:length]) == (length > len(whole.rstrip(b"\0")))


def test_what_follows_the_checksum_must_be_zeros() -> None:
    changed = bytearray(control_file_of(17))
    changed[-1] = 1
    assert not is_whole(bytes(changed))


def test_checksum_is_that_of_the_server() -> None:
    """The check value of CRC-32C, and that of RFC 3720, B.4, for 32 zeros."""
    assert (crc32c(b"123456789"), crc32c(bytes(32))) == (0xE3069283, 0x8A9136AA)
