"""Foreign text is read and written back as the same bytes."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.files.text import (
    bytes_of,
    lines_of,
    read_lines,
    read_text,
    text_of,
)
from pgpool_recovery.files.write import write_file

NO_ENDS = "a\rb\x0bc\x0cd\x1ce\x1df\x1eg\x85h\u2028i\u2029j"


@given(st.binary())
def test_any_bytes_come_back(data: bytes) -> None:
    assert bytes_of(text_of(data)) == data


@given(st.binary())
def test_lines_are_those_between_line_feeds(data: bytes) -> None:
    lines = lines_of(text_of(data))
    assert not any("\n" in line for line in lines)
    assert bytes_of("".join(f"{line}\n" for line in lines)) in (data, data + b"\n")


@pytest.mark.parametrize("data", [b"", b"r\xe9plica\n", NO_ENDS.encode(), bytes(range(256))])
def test_file_is_read_and_written_unchanged(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "postgresql.auto.conf"
    file.write_bytes(data)
    write_file(tmp_path / "copy", read_text(file))
    assert (tmp_path / "copy").read_bytes() == data


def test_nothing_but_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(f"{NO_ENDS}\nk\n".encode())
    assert read_lines(file) == [NO_ENDS, "k"]


def test_file_longer_than_the_limit_fails_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"12345")
    assert read_text(file, 5) == "12345"
    with pytest.raises(OSError, match="File too large") as caught:
        read_text(file, 4)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(file))


def test_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(OSError, match="File too large"):
        read_text(Path("/dev/zero"))


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    assert read_text(tmp_path / "f") == ""


def test_name_of_any_bytes(tmp_path: Path) -> None:
    file = tmp_path / text_of(b"r\xe9plica")
    file.write_bytes(b"x")
    assert os.listdir(bytes(tmp_path)) == [b"r\xe9plica"]
    assert read_text(file) == "x"
