"""Build the documentation: `python3 .ci/site.py` writes `.site`; `--serve` shows it meanwhile.

A misspelt word, a link of ours that leads nowhere and a page without its Markdown twin are errors.
"""

from __future__ import annotations

import sys

from environment import ROOT, python_with_requirements, run

SITE = ROOT / ".site"
PINS = ROOT / "tests" / "constraints-docs.txt"
PROSE = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml", "docs"]
BUILD = ["zensical", "build", "--clean", "--strict"]


def without_twin() -> list[str]:
    """Return the pages that have no Markdown beside them, or no line in llms.txt."""
    listed = (SITE / "llms.txt").read_text(encoding="utf-8")
    pages = (ROOT / "docs").glob("*.md")
    twins = [
        SITE / page.stem / "index.md" if page.stem != "index" else SITE / "index.md"
        for page in sorted(pages)
    ]
    return [
        str(twin.relative_to(SITE))
        for twin in twins
        if not twin.exists() or f"/{twin.relative_to(SITE).as_posix()}>" not in listed
    ]


if __name__ == "__main__":
    python = python_with_requirements(PINS, name=".venv-docs")
    if "--serve" in sys.argv[1:]:
        sys.exit(run([str(python), "-m", "zensical", "serve"]))
    for command in (["codespell_lib", *PROSE], BUILD):
        if code := run([str(python), "-m", *command]):
            sys.exit(code)
    if missing := without_twin():
        sys.exit(f"no Markdown twin, or not in llms.txt (mkdocs.yml): {', '.join(missing)}")
