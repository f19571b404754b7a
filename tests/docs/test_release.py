"""What must hold before something is published."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from typing import Any

import pytest

from .generated import ROOT

README = (ROOT / "README.md").read_text("utf-8")
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-31\n\n## [1.1.0]\n"


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that builds and checks a release."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    return importlib.import_module("release")


@pytest.mark.parametrize(
    ("tag", "version", "wrong"),
    [
        ("v1.2.0", "1.2.0", None),
        (None, "1.3.0rc1", None),
        ("1.2.0", "1.2.0", "the tag '1.2.0' is not 'v1.2.0'"),
        ("v1.2.0", "1.2.1", "the tag 'v1.2.0' is not 'v1.2.1'"),
        ("v1.3.0", "1.3.0", "no section"),
        ("v1.1.0", "1.1.0", "does not end in"),
        (None, "1.2", "not of the form"),
    ],
)
def test_tag_version_and_changelog_say_the_same(
    release: Any, tag: str | None, version: str, wrong: str | None
) -> None:
    found = release.problems(tag, version, CHANGELOG)
    assert found == [] if wrong is None else wrong in found[0]


def test_the_version_of_today_can_be_released_once_the_changelog_names_it(release: Any) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    section = f"## [{release.version()}] - 2026-12-31\n"
    assert release.problems(f"v{release.version()}", release.version(), changelog + section) == []


def test_every_action_is_pinned_by_commit_and_says_which_version_that_is() -> None:
    workflows = [path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")]
    used = [line for text in workflows for line in re.findall(r"uses: (.+)", text)]
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d\S+", line)] == []


def test_every_link_and_picture_of_the_readme_works_where_the_package_is_listed() -> None:
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", README)
    assert [
        one or other for one, other in targets if not (one or other).startswith("https://")
    ] == []


def test_importing_says_nothing() -> None:
    command = [sys.executable, "-W", "error", "-c", "import langchain_openrouter_o3"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
