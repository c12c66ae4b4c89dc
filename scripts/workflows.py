"""The rules for `.github/workflows/`: permissions, pinned actions, limits, untrusted input and caches. `tests/test_workflows.py` enforces them."""

import re
from collections.abc import Iterator
from pathlib import Path

# An action pinned to a commit, which nobody can move, with its version as a comment for people and Dependabot.
PINNED = re.compile(r"^\s*(?:- )?uses:\s+[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
USES = re.compile(r"^\s*(?:- )?uses:\s")
JOB = re.compile(r"^  ([\w-]+):\s*$")
EXPRESSION = re.compile(r"\$\{\{")
# The jobs that may write, and the permissions they get, by workflow and job.
WRITERS = {
    ("codeql.yml", "analyse"): {"security-events"},
    ("release.yml", "publish"): {"contents", "id-token", "attestations"},
}


def problems(name: str, text: str) -> list[str]:
    """The violations in a workflow, one a line, each with its place."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.lstrip().startswith("#")]
    found = [*unpinned(lines), *top_level(lines), *triggers(lines), *writers(name, lines), *limits(lines), *checkouts(lines), *injections(lines), *caches(name, lines)]
    return [f"{name}:{number}: {what}" for number, what in found]


Lines = list[tuple[int, str]]
Found = Iterator[tuple[int, str]]


def unpinned(lines: Lines) -> Found:
    for number, line in lines:
        if USES.match(line) and not PINNED.match(line):
            yield number, f"an action is named by its commit, with its version behind it (@<40 digits> # v1.2.3), not: {line.strip()}"


def top_level(lines: Lines) -> Found:
    """Every job starts with reading, and asks for what it needs beyond that."""
    start = next((index for index, (_, line) in enumerate(lines) if line.startswith("permissions:")), None)
    if start is None:
        yield 1, "top-level permissions are missing; without them a token may do what the repository's settings say"
        return
    number, line = lines[start]
    granted = [line for _, line in section(lines[start + 1 :])]
    if line.strip() != "permissions: {}" and [entry.strip() for entry in granted] != ["contents: read"]:
        yield number, "top-level permissions are contents: read, or none; a job asks for more"


def section(lines: Lines) -> Lines:
    """The lines that are deeper than the one before them, up to the next that is not."""
    indented = []
    for number, line in lines:
        if line.strip() and not line.startswith(" "):
            break
        if line.strip():
            indented.append((number, line))
    return indented


def triggers(lines: Lines) -> Found:
    for number, line in lines:
        if re.search(r"\bpull_request_target\b|\bworkflow_run\b", line):
            yield number, "it would run a stranger's change with this repository's rights"


def writers(name: str, lines: Lines) -> Found:
    for job, members in jobs(lines):
        allowed = WRITERS.get((name, job), set())
        for number, line in members:
            if re.search(r"permissions:\s*write-all", line):
                yield number, "a job names what it writes"
            elif (granted := re.match(r"\s+([\w-]+):\s*write\b", line)) and granted[1] not in allowed:
                yield number, f"the job {job} may not write {granted[1]}; scripts/workflows.py lists who may"


def limits(lines: Lines) -> Found:
    for job, members in jobs(lines):
        if not any(line.startswith("    timeout-minutes:") for _, line in members):
            yield members[0][0], f"the job {job} has no timeout-minutes; GitHub's is six hours"


def jobs(lines: Lines) -> Iterator[tuple[str, Lines]]:
    """Each job, with its lines."""
    start = next((index for index, (_, line) in enumerate(lines) if line.rstrip() == "jobs:"), len(lines))
    name, members = "", []
    for number, line in section(lines[start + 1 :]):
        if found := JOB.match(line):
            if name:
                yield name, members
            name, members = found[1], []
        members.append((number, line))
    if name:
        yield name, members


def checkouts(lines: Lines) -> Found:
    """Every later step can read a token that a checkout leaves in .git."""
    for index, (number, line) in enumerate(lines):
        if "uses: actions/checkout@" in line and not any("persist-credentials: false" in later for later in step_from(lines, index)):
            yield number, "a checkout keeps no token: persist-credentials: false"


def step_from(lines: Lines, index: int) -> list[str]:
    rest = []
    for _, line in lines[index + 1 :]:
        if re.match(r"\s*- ", line) or (line.strip() and len(line) - len(line.lstrip()) < 6):
            break
        rest.append(line)
    return rest


def injections(lines: Lines) -> Found:
    """The value of an expression is inserted into the script before the shell reads it, and a branch can be named like a command."""
    block = None
    for number, line in lines:
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        script = re.match(r"\s*(?:- )?run:", line)
        if script:
            block = line.index("run:")
        if (script or block is not None) and EXPRESSION.search(line):
            yield number, "a script gets values by env, not by ${{ … }}"


def caches(name: str, lines: Lines) -> Found:
    if name == "release.yml":
        for number, line in lines:
            if "actions/cache" in line or re.search(r"^\s+cache:\s", line):
                yield number, "a release restores no cache; a pull request could have filled it"


def workflows(root: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((root / ".github" / "workflows").glob("*.y*ml"))}
