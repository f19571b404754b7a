"""Build the documentation: `python3 .ci/site.py` writes `.site`; `--serve` shows it meanwhile.

A misspelt word, a link of ours that leads nowhere and a page without its Markdown twin are errors.
`--links` lists the addresses of others, which are not asked for here.
"""

from __future__ import annotations

import os
import re
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


def links_of_others() -> list[str]:
    """Return the addresses in the documentation that are not ours."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    found = {link.rstrip(".,;:") for link in re.findall(r"https://[^\s()<>`\"'|]+", text)}
    return sorted(link for link in found if "/langchain-openrouter-o3" not in link)


if __name__ == "__main__":
    if "--links" in sys.argv[1:]:
        sys.exit(print("\n".join(links_of_others())))
    os.chdir(ROOT)
    python = python_with_requirements(PINS, name=".venv-docs")
    if "--serve" in sys.argv[1:]:
        sys.exit(run([str(python), "-m", "zensical", "serve"]))
    for command in (["codespell_lib", *PROSE], BUILD):
        if code := run([str(python), "-m", *command]):
            sys.exit(code)
    if missing := without_twin():
        sys.exit(f"no Markdown twin, or not in llms.txt (mkdocs.yml): {', '.join(missing)}")
