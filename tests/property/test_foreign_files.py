"""Files of others have any bytes; they are kept unchanged, understood, or refused by name.

They never cause a bug report, and a line of theirs never becomes two.
"""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pgpool_recovery.agent.directory.configuration import write_standby_settings
from pgpool_recovery.agent.directory.neutral import take_out
from pgpool_recovery.agent.directory.own_wal import own_wal
from pgpool_recovery.agent.directory.setting_home import Home
from pgpool_recovery.agent.method.guarded.backup_label import is_incremental, without_incremental
from pgpool_recovery.domain.backup_label import parse_backup_label
from pgpool_recovery.domain.control_data import parse_control_data
from pgpool_recovery.domain.error import Refused
from pgpool_recovery.domain.event import Said
from pgpool_recovery.domain.wal import Point, TimelineId, parse_history
from pgpool_recovery.facts.archived_history import read_archived
from pgpool_recovery.files.text import bytes_of, text_of
from pgpool_recovery.host.command_line import settings_of, split
from pgpool_recovery.host.manager import _data_directories
from pgpool_recovery.host.setting_source import find_sources
from pgpool_recovery.in_server.pid_file import PidFile, parse_pid_file
from pgpool_recovery.install.pgpool_conf import values_of, with_ours, without_ours
from pgpool_recovery.talk.protocol import Answer
from pgpool_recovery.talk.wire import decode_message, encode_message

TIMELINE = TimelineId(3)
ODD = [
    b"\x85",
    b"\xc2\x85",
    b"\x0c",
    b"\r",
    b"\x1c",
    b"\xe2\x80\xa8",
    b"\xe9",
    b"\xff",
    b"\0",
    b"'",
]
WORDS = [b"port", b"=", b" ", b"primary_conninfo", b"1\t0/3000060\t", b"INCREMENTAL FROM ", b"5432"]
WORDS += [b"START WAL LOCATION: 0/2000028 (file 000000030000000000000002)", b"\xd9\xa1", b"-", b"#"]
PIECES = st.one_of(st.binary(max_size=8), st.sampled_from(ODD + WORDS))
PARTS = st.lists(PIECES, max_size=6).map(b"".join)
LINE = PARTS.map(lambda data: data.replace(b"\n", b""))
LINES = st.lists(LINE, max_size=6)
SET = {"port": "5433", "primary_conninfo": text_of(b"host=a password='s\xe9cret\x85'")}


def data_directory(name: str, data: bytes) -> tempfile.TemporaryDirectory[str]:
    directory = tempfile.TemporaryDirectory()
    file = Path(directory.name, name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    return directory


def sets(line: bytes, names: list[str]) -> bool:
    before = line.lower().lstrip()
    return any(before.startswith(bytes_of(name)) for name in names)


@given(LINES)
def test_lines_of_auto_conf_stay_bytes_and_lines(lines: list[bytes]) -> None:
    with data_directory("postgresql.auto.conf", b"".join(line + b"\n" for line in lines)) as name:
        file = Path(name, "postgresql.auto.conf")
        write_standby_settings(Path(name), SET)
        *after, port, conninfo, end = file.read_bytes().split(b"\n")
        assert (port, end) == (b"port = '5433'", b"")
        assert conninfo == b"primary_conninfo = 'host=a password=''s\xe9cret\x85'''"
        kept = [line for line in lines if not sets(line, [*SET])]
        assert [line for line in after if not sets(line, [*SET])] == kept
        take_out(Path(name), ["recovery_target_xid"], lambda _line: None)
        take_out(Path(name), ["port"], lambda _line: None)
        assert kept == [
            line for line in file.read_bytes().split(b"\n")[:-2] if not sets(line, [*SET])
        ]


@given(st.text(alphabet=st.characters(exclude_characters="\n\0", codec="utf-8"), max_size=20))
def test_value_of_auto_conf_is_read_as_it_was_written(value: str) -> None:
    with data_directory("postgresql.auto.conf", b"") as name:
        write_standby_settings(Path(name), {"application_name": value})
        assert Home(Path(name), Path(name)).value("application_name") == value


@given(PARTS)
def test_other_configuration_is_read_whatever_it_has(data: bytes) -> None:
    with data_directory("x.conf", data) as name:
        file = Path(name, "x.conf")
        find_sources([file])
        _data_directories(file, "data_directory")
    list(settings_of(split(text_of(data)), "x"))


@given(PARTS)
def test_pgpool_conf_comes_back_as_it_was(data: bytes) -> None:
    text = text_of(data)
    values_of(text)
    again = without_ours(with_ours(text, ["port = 1", "primary_conninfo = 2"]))
    assert bytes_of(again) in (data, data + b"\n")


@given(LINES)
def test_label_is_understood_or_refused_and_loses_one_line_alone(lines: list[bytes]) -> None:
    text = text_of(b"\n".join(lines))
    with suppress(Refused):
        assert isinstance(parse_backup_label(text), Point)
    kept = [line for line in lines if not line.startswith(b"INCREMENTAL FROM ")]
    assert bytes_of(without_incremental(text)) == b"\n".join(kept)
    assert is_incremental(text) == (kept != lines)


@given(LINES)
def test_history_is_understood_or_refused(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    with suppress(Refused):
        parse_history(text_of(data), TIMELINE)
    archived = read_archived(TIMELINE, data)
    with data_directory("pg_wal/00000003.history", data) as name:
        own = own_wal(Path(name), 16 * 2**20)
    assert (archived.history is None) == (own.unreadable == ("00000003.history",))


@given(st.lists(LINE.filter(lambda line: b"#" not in line), min_size=1, max_size=3))
def test_reason_in_a_history_may_be_anything(reasons: list[bytes]) -> None:
    data = b"".join(b"%d\t0/3000060\t%s\n" % (at + 1, why) for at, why in enumerate(reasons))
    assert len(parse_history(text_of(data), TimelineId(9)).timelines) == len(reasons) + 1


@given(LINES)
def test_pid_file_names_a_server_or_none(lines: list[bytes]) -> None:
    parse_pid_file(text_of(b"\n".join(lines)))


@given(st.sampled_from(ODD[:8]))
def test_pid_file_has_paths_of_any_bytes(odd: bytes) -> None:
    data = b"/d%s" % odd
    text = b"42\n%s\n1795791600\n5433\n%s\n*\n  1 2\nready   \n" % (data, data)
    found = parse_pid_file(text_of(text))
    assert found is not None
    assert vars(found) == vars(PidFile(42, 5433, text_of(data), is_ready=True))


@given(PARTS)
def test_output_of_pg_controldata_is_refused_when_it_is_none(data: bytes) -> None:
    with suppress(Refused):
        parse_control_data(text_of(data))


@given(st.binary())
def test_any_bytes_travel_between_hosts(data: bytes) -> None:
    said = Said("tar", text_of(data))
    assert decode_message(encode_message(said)) == said
    answer = Answer(result=[text_of(data)])
    assert decode_message(encode_message(answer)) == answer
    assert encode_message(said).count(b"\n") == 1
