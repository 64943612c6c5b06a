"""The picture of the rooms is that of the imports, and is told to be old when it is."""

from pathlib import Path

import pytest

from ci import rooms
from ci.rooms import BEGIN, END, arrows_of, main, rooms_of

MODULES = {
    "__init__.py": "",
    "story.py": "from ours.tools import saw\ndef f():\n    from ours.world.place import here\n",
    "tools/__init__.py": "",
    "tools/hammer.py": "import ours.world.place\nfrom ours.tools import nail\n",
    "tools/nail.py": "import os\n",
    "world/place.py": "from ours import __version__\n",
}


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "ours"
    for name, text in MODULES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}{END}after\n")
    monkeypatch.setattr(rooms, "SOURCE", directory)
    monkeypatch.setattr(rooms, "PAGE", page)
    monkeypatch.setattr(rooms, "DIVIDED", ("tools",))
    return directory


def test_imports_are_arrows_wherever_they_stand(source: Path) -> None:
    found = rooms_of(source, "")
    assert {name: set(room.imports) for name, room in found.items()} == {
        "story": {"tools", "world"},
        "tools": {"world"},
        "world": set(),
    }
    assert found["tools"].modules == 3
    assert found["tools"].lines == 3
    assert arrows_of(found) == [("story", "tools"), ("tools", "world")]


def test_package_that_is_divided_has_rooms_of_its_own(source: Path) -> None:
    found = rooms_of(source, "tools")
    assert {name: set(room.imports) for name, room in found.items()} == {
        "hammer": {"nail"},
        "nail": set(),
    }


def test_picture_is_old_once_an_arrow_is_new(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 1
    assert "the rooms have changed" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0
    page = rooms.PAGE.read_text()
    assert page.startswith(f"before\n{BEGIN}")
    assert page.endswith(f"{END}after\n")
    assert "    story --> tools\n" in page
    (source / "world" / "place.py").write_text("from ours.sky import blue\n")
    (source / "sky.py").write_text("blue = 1\n")
    assert main(["--check"]) == 1


def test_page_without_marks_is_not_written(source: Path) -> None:
    rooms.PAGE.write_text("no picture\n")
    with pytest.raises(SystemExit, match=r"page\.md lacks the marks"):
        main([])
