"""A release is made only from a commit that says everywhere which version it is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from packages.release import Source, read, reasons_against

CONTROL = "# Part of it.\ncomment = 'c'\ndefault_version = '2.0'\n"
META = {"version": "2.0.0", "provides": {"pgpool_recovery": {"version": "2.0.0"}}}
RELEASE = Source(
    changes=(),
    tags=("latest", "v2.0.0"),
    version="2.0.0",
    changelog="# Changelog\n\n## 2.0.0 (2026-12-05)\n\n* That.\n\n## 1.9.0 (unreleased)\n",
    meta=json.dumps(META),
    controls={"pgpool_recovery": CONTROL},
)
NO_DATE = 'CHANGELOG.md has "unreleased" for 2.0.0 where the date belongs.'
NO_HEADING = "CHANGELOG.md does not begin with a heading ## 2.0.0 (date)."
FAULTS = {
    "Not committed: a, b, c, d, e and 2 more.": {"changes": tuple("abcdefg")},
    "Not committed: new.": {"changes": ("new",)},
    "The commit does not have the tag v2.0.0; its tags: none.": {"tags": ()},
    "The commit does not have the tag v2.0.0; its tags: 2.0.0, v2.0.1.": {
        "tags": ("2.0.0", "v2.0.1")
    },
    NO_DATE: {"changelog": "## 2.0.0 (unreleased)\n"},
    NO_HEADING: {"changelog": "## 2.1.0 (2026-12-05)\n\n## 2.0.0 (2026-12-04)\n"},
    "extension/META.json has the version 2.0.1.": {
        "meta": json.dumps({**META, "version": "2.0.1"})
    },
    "extension/META.json has version 2.0.0 for pgpool_recovery, and should have 2.1.0.": {
        "controls": {"pgpool_recovery": CONTROL.replace("2.0", "2.1")}
    },
    "extension/META.json has version none for pgpool_adm, and should have 2.0.0.": {
        "controls": {**RELEASE.controls, "pgpool_adm": CONTROL}
    },
    "extension/META.json has version 2.0.0 for pgpool_recovery, and should have none.": {
        "controls": {}
    },
}


def test_commit_with_its_tag_is_a_release() -> None:
    assert list(reasons_against(RELEASE)) == []


@pytest.mark.parametrize("reason", FAULTS)
def test_each_reason(reason: str) -> None:
    assert list(reasons_against(replace(RELEASE, **FAULTS[reason]))) == [reason]  # type: ignore[arg-type]


def test_no_day_is_no_date() -> None:
    source = replace(RELEASE, changelog="## 2.0.0 (2026-11-31)\n")
    assert list(reasons_against(source)) == [NO_DATE.replace("unreleased", "2026-11-31")]


def test_this_checkout_lacks_nothing_but_what_a_release_adds() -> None:
    """In particular, META.json and the control files agree."""
    source = replace(read(Path(__file__).parents[3]), changes=(), tags=("v2.0.0",))
    assert source.version == "2.0.0"
    assert sorted(source.controls) == ["pgpool_adm", "pgpool_recovery", "pgpool_regclass"]
    assert set(reasons_against(source)) <= {NO_DATE}


def test_meta_says_about_each_extension_what_its_control_file_says() -> None:
    root = Path(__file__).parents[3]
    meta = json.loads((root / "extension" / "META.json").read_text())
    for name, provided in meta["provides"].items():
        control = (root / "extension" / f"{name}.control").read_text()
        assert f"comment = '{provided['abstract']}'\n" in control
        assert provided["file"] == f"extension/{name}--{provided['version'].removesuffix('.0')}.sql"
    assert meta["prereqs"]["runtime"]["requires"]["PostgreSQL"] == "14.0.0"
    required = ("name", "version", "abstract", "maintainer", "license", "provides", "meta-spec")
    assert all(meta[field] for field in required)
    assert meta["meta-spec"]["version"] == "1.0.0"
