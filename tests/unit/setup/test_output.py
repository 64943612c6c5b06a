"""Under sudo, scripts are written as its user, and only where no third user can replace them."""

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgpool_recovery.domain.error import Refused
from pgpool_recovery.setup.output import write_output

OPERATOR = "nobody"
TEXT = "#!/bin/sh\n# caf\u00e9\n"

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a directory of the operator, who may go there, as pytest's own do not allow."""
    monkeypatch.setenv("SUDO_USER", OPERATOR)
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        made = Path(above, "home of operator")
        made.mkdir(mode=0o700)
        os.chown(made, pwd.getpwnam(OPERATOR).pw_uid, -1)
        yield made


@pytest.mark.parametrize("mode", [0o700, 0o600])
def test_in_the_operators_directory_it_is_the_operators(
    home: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    monkeypatch.chdir(home)
    for text in ("an older one", TEXT):
        write_output(Path("-a file.sh"), text, mode=mode)
    (written,) = home.iterdir()
    assert written == home / "-a file.sh"
    assert written.read_text() == TEXT
    assert written.owner() == OPERATOR
    assert written.stat().st_mode & 0o7777 == mode


def test_link_of_the_operator_is_replaced_and_leads_nowhere(home: Path, tmp_path: Path) -> None:
    (tmp_path / "of root").write_text("root's")
    (home / "file.sh").symlink_to(tmp_path / "of root")
    write_output(home / "file.sh", TEXT, mode=0o700)
    assert (tmp_path / "of root").read_text() == "root's"
    assert (home / "file.sh").read_text() == TEXT


def test_where_only_root_writes_it_is_roots(home: Path, tmp_path: Path) -> None:
    write_output(tmp_path / "file.sh", TEXT, mode=0o700)
    assert (tmp_path / "file.sh").owner() == "root"


@pytest.mark.parametrize(("uid", "mode"), [(1, 0o755), (0, 0o777)])
def test_where_third_users_write_it_is_refused(home: Path, uid: int, mode: int) -> None:
    """The hint names a place where it is possible."""
    place = home.parent / "shared"
    place.mkdir()
    os.chown(place, uid, -1)
    place.chmod(mode)
    with pytest.raises(Refused, match="others could redirect it") as caught:
        write_output(place / "file.sh", TEXT, mode=0o700)
    assert caught.value.hint is not None
    assert f"{pwd.getpwnam(OPERATOR).pw_dir}/file.sh" in caught.value.hint
    assert list(place.iterdir()) == []


def test_without_sudo_root_is_sent_to_its_own_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_USER")
    with pytest.raises(Refused, match="does not write") as caught:
        write_output(home / "file.sh", TEXT, mode=0o700)
    assert caught.value.detail == f"{home} belongs to {OPERATOR}."
    assert caught.value.hint == (
        "Write it to a directory where only root can write, as /root/file.sh."
    )


def test_failure_of_the_operator_is_told(home: Path) -> None:
    (home / "file.sh").mkdir()
    with pytest.raises(Refused, match="could not write") as caught:
        write_output(home / "file.sh", TEXT, mode=0o700)
    assert "directory" in str(caught.value.detail)
    assert [one.name for one in home.iterdir()] == ["file.sh"]
