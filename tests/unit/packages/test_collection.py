"""The collection's archive is complete, and always the same."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from packages import collection
from packages.collection import ABOUT, FILES, MANIFEST, SOURCE, archive_of, contents, read_about
from packages.tree import Link
from pgpool_recovery import __version__

WHEN = 1700000000


def members(archive: bytes) -> dict[str, bytes | None]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {}
        for member in opened:
            assert (member.mtime, member.uid, member.uname) == (WHEN, 0, "")
            file = opened.extractfile(member)
            found[member.name] = None if file is None else file.read()
        return found


def test_has_the_version_of_the_rest() -> None:
    assert read_about((SOURCE / ABOUT).read_text())["version"] == __version__


def test_every_file_is_listed_with_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(WHEN))
    path = collection.build(tmp_path, tmp_path)
    assert path.name == f"pgpool_recovery-cluster-{__version__}.tar.gz"
    found = members(path.read_bytes())
    manifest, files = (json.loads(found.pop(name) or b"") for name in (MANIFEST, FILES))
    listed = {one["name"]: one["chksum_sha256"] for one in files["files"]}
    assert listed.pop(".") is None
    assert listed == {
        name: None if data is None else hashlib.sha256(data).hexdigest()
        for name, data in found.items()
    }
    assert {"plugins/modules/recover.py", "roles/node/tasks/main.yml"} < set(found)
    assert ABOUT not in found
    assert manifest["collection_info"]["name"] == "cluster"


def test_same_bytes_again() -> None:
    about = read_about((SOURCE / ABOUT).read_text())
    assert archive_of(about, contents(SOURCE), WHEN) == archive_of(about, contents(SOURCE), WHEN)
    assert archive_of(about, contents(SOURCE), WHEN) != archive_of(about, {}, WHEN)


def test_link_is_refused() -> None:
    with pytest.raises(TypeError, match="is a link"):
        archive_of({}, {"a": Link("b")}, WHEN)
