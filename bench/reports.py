"""Writes reports to `.local/reports/`."""

import json

from boxoffice_local.settings import LOCAL

REPORTS = LOCAL / "reports"


def keep(name: str, report: dict, text: str) -> None:
    """Leaves a report as JSON and as Markdown, and prints the latter."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    (REPORTS / f"{name}.md").write_text(text)
    print(text)
