"""The rules for docs/asvs.md: each requirement of OWASP ASVS 5.0.0 at levels 1 and 2 with a verdict, and the place in the code that shows it."""

import re

import docs_checks as docs

PAGE = "docs/asvs.md"
VERDICTS = ("yes", "part", "no", "n/a")
# The level of each requirement of a section, in the order of their numbers (https://github.com/OWASP/ASVS, tag v5.0.0_release).
LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123", "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23",
    "3.1": "3", "3.2": "113", "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3", "3.7": "22333", "4.1": "12233", "4.2": "23333",
    "4.3": "22", "4.4": "1222", "5.1": "2", "5.2": "112333", "5.3": "113", "5.4": "222", "6.1": "122", "6.2": "111111112222", "6.3": "11223333",
    "6.4": "112233", "6.5": "22222333", "6.6": "2223", "6.7": "33", "6.8": "2222", "7.1": "222", "7.2": "1111", "7.3": "22", "7.4": "11222",
    "7.5": "223", "7.6": "22", "8.1": "1233", "8.2": "1123", "8.3": "133", "8.4": "23", "9.1": "111", "9.2": "1222", "10.1": "22", "10.2": "223",
    "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222", "10.6": "22", "10.7": "222", "11.1": "2233", "11.2": "22233", "11.3": "11233",
    "11.4": "1222", "11.5": "23", "11.6": "23", "11.7": "33", "12.1": "12233", "12.2": "11", "12.3": "22223", "13.1": "2333", "13.2": "222223",
    "13.3": "2233", "13.4": "1222233", "14.1": "22", "14.2": "12223333", "14.3": "122", "15.1": "12233", "15.2": "12233", "15.3": "1222222",
    "15.4": "3333", "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223", "17.1": "23", "17.2": "22223333", "17.3": "22",
}
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$")
BEGIN, END = "<!-- counts: made by `python3 scripts/docs.py asvs` -->", "<!-- end of counts -->"
PROCESS = re.compile(r"\bprocess::Command\b|\bCommand::new\(")


def due():
    """Each requirement of levels 1 and 2, and its level."""
    return {f"{section}.{number}": int(level) for section, levels in LEVELS.items() for number, level in enumerate(levels, 1) if level in "12"}


def rows(page):
    """Each row: its line, requirement, level, wording, verdict and reason."""
    for number, line in enumerate(page.splitlines(), 1):
        if match := ROW.match(line):
            yield number, *(cell.strip() for cell in match.groups())


def counts(page):
    """The table of how many requirements have which verdict."""
    lines = ["| Level | " + " | ".join(VERDICTS) + " | all |", "|---" * (len(VERDICTS) + 2) + "|"]
    for level in ("1", "2"):
        of_level = [verdict for _, _, its, _, verdict, _ in rows(page) if its == level]
        lines.append(f"| {level} | " + " | ".join(str(of_level.count(verdict)) for verdict in VERDICTS) + f" | {len(of_level)} |")
    return "\n".join(lines)


def with_counts(page):
    """The page with the counts of its own rows."""
    head, found, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{counts(page)}\n\n{END}{tail}" if found and end else page


def write(root):
    page = root / PAGE
    page.write_text(with_counts(page.read_text()))
    print(f"{PAGE} written.")


def requirements(root):
    """Every requirement of OWASP ASVS 5.0.0 at levels 1 and 2 is a row of docs/asvs.md, with a verdict, a reason and places that are there."""
    if not (root / PAGE).exists():
        return [docs.Finding(PAGE, 0, "is missing")]
    page, wanted, seen, findings = (root / PAGE).read_text(), due(), {}, []

    def wrong(line, what):
        findings.append(docs.Finding(PAGE, line, what))

    for line, name, level, wording, verdict, reason in rows(page):
        if name in seen:
            wrong(line, f"{name} is there already, in line {seen[name]}")
        seen[name] = line
        if name not in wanted:
            wrong(line, f"{name} is no requirement of level 1 or 2")
        elif level != str(wanted[name]):
            wrong(line, f"{name} is of level {wanted[name]}")
        if verdict not in VERDICTS:
            wrong(line, f"{name}: {verdict or 'nothing'} is no verdict ({', '.join(VERDICTS)})")
        if not wording or not reason:
            wrong(line, f"{name} has no {'wording' if not wording else 'reason'}")
        files = docs.cited(reason)
        if verdict == "yes" and not files and not docs.LINK.search(reason):
            wrong(line, f"{name} is met, and nothing shows it")
        for what in docs.missing(root, files):
            wrong(line, f"{name}: {what}")
    findings += [docs.Finding(PAGE, 0, f"{name} has no row") for name in wanted if name not in seen]
    if page != with_counts(page) or BEGIN not in page:
        wrong(0, "its counts are out of date: python3 scripts/docs.py asvs")
    return findings


def no_processes(root):
    """No function starts a program of the operating system (ASVS 1.2.5)."""
    for folder in sorted([*root.glob("functions/*/src"), *root.glob("shared/*/src")]):
        for file in sorted(folder.rglob("*.rs")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                if PROCESS.search(line.split("//")[0]):
                    yield docs.Finding(str(file.relative_to(root)), number, "starts a program, which a function has no use for")


RULES = (requirements, no_processes)
