"""The rule for docs/aws.md: each finding of the review of AWS's limits has a line that says what became of it and what shows that."""

import re

import docs_checks as docs

PAGE = "docs/aws.md"
# How many findings each part of the review had.
FINDINGS = {"A": 6, "B": 10, "C": 16}
OUTCOMES = ("mended", "answered")
ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")


def findings(root):
    """Every finding of the review of AWS's limits is a row of docs/aws.md, mended or answered, with what shows it."""
    if not (root / PAGE).exists():
        return [docs.Finding(PAGE, 0, "is missing")]
    found, seen = [], {}
    wanted = [f"{part}{number}" for part, count in FINDINGS.items() for number in range(1, count + 1)]
    for line, text in enumerate((root / PAGE).read_text().splitlines(), 1):
        if not (match := ROW.match(text)):
            continue
        name, _, outcome, now, shown = (cell.strip() for cell in match.groups())
        complaints = [*docs.missing(root, docs.cited(f"{now} {shown}"))]
        if name in seen:
            complaints.append(f"is there already, in line {seen[name]}")
        if name not in wanted:
            complaints.append("is no finding of the review")
        if outcome not in OUTCOMES:
            complaints.append(f"{outcome or 'nothing'} is no outcome ({', '.join(OUTCOMES)})")
        if not now or not docs.cited(shown):
            complaints.append("nothing shows it")
        seen[name] = line
        found += [docs.Finding(PAGE, line, f"{name}: {what}") for what in complaints]
    return found + [docs.Finding(PAGE, 0, f"{name} has no row") for name in wanted if name not in seen]


RULES = (findings,)
