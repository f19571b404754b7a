"""Build and check what is published: `python3 .ci/release.py --tag v0.1.0` writes `dist/`.

The tag, the version and the changelog must say the same; the source distribution must hold every
file of the repository; both files must be what the package index takes (`twine check --strict`).
`--test` also runs tests in the unpacked source distribution, with nothing else. Without `--tag`,
the version alone is checked.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from environment import ROOT, python_with_requirements, run

DIST = ROOT / "dist"
PINS = ROOT / "tests" / "constraints-release.txt"
TESTED = ["tests/unit", "tests/docs", "tests/contract/test_standard.py"]


def problems(tag: str | None, version: str, changelog: str) -> list[str]:
    """Return what is wrong with a release.

    Args:
        tag: Of the commit, such as "v0.1.0"; None if it is not known yet.
        version: Of the package.
        changelog: The text of CHANGELOG.md.
    """
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        found.append(f"the version {version!r} is not of the form 1.2.3 or 1.2.3rc1")
    if tag is not None and tag != f"v{version}":
        found.append(f"the tag {tag!r} is not 'v{version}', the version of the package")
    sections = re.findall(r"(?m)^## \[([^\]]+)\](.*)$", changelog)
    dates = [rest for name, rest in sections if name == version]
    if tag is not None and not dates:
        found.append(f"CHANGELOG.md has no section '## [{version}] - <date>'")
    if tag is not None and dates and not re.fullmatch(r" - \d{4}-\d{2}-\d{2}", dates[0]):
        found.append(f"the section of {version} in CHANGELOG.md does not end in ' - 2026-12-31'")
    return found


def version() -> str:
    """Read the package's version without importing the package."""
    text = (ROOT / "langchain_openrouter_o3" / "_version.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def build(python: Path) -> Path:
    """Build the source distribution, and from it the wheel; return the former."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([str(python), "-m", "build", "--outdir", str(DIST), str(ROOT)], check=True)
    files = sorted(DIST.iterdir())
    subprocess.run([str(python), "-m", "twine", "check", "--strict", *map(str, files)], check=True)
    return next(file for file in files if file.name.endswith(".tar.gz"))


def missing(source: Path) -> list[str]:
    """Return the files of the repository that are not in the source distribution."""
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return sorted(set(filter(None, listed.stdout.split("\0"))) - held)


def test(source: Path) -> int:
    """Run tests in the unpacked source distribution, with nothing else beside it."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")
        (unpacked,) = Path(folder).iterdir()
        command = [sys.executable, str(unpacked / ".ci" / "test.py"), "-q", *TESTED]
        return subprocess.run(command, check=False, cwd=unpacked).returncode


def main() -> int:
    """Check, build, check what was built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="of the commit, such as v0.1.0")
    parser.add_argument("--test", action="store_true", help="run tests in the source distribution")
    options = parser.parse_args()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if wrong := problems(options.tag, version(), changelog):
        sys.exit("\n".join(wrong))
    source = build(python_with_requirements(PINS, name=".venv-release"))
    if left_out := missing(source):
        sys.exit(f"not in {source.name}: {', '.join(left_out)}")
    if options.test and (code := test(source)):
        return code
    return run([sys.executable, str(ROOT / ".ci" / "wheel.py"), *map(str, DIST.glob("*.whl"))])


if __name__ == "__main__":
    sys.exit(main())
