"""The rules for the documentation. Each is a function that takes the checkout's root and yields the violations."""

import json
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import docs_generated as generated
import template_yaml

# Not ours, or not there in a fresh clone.
SKIPPED = {"target", "node_modules", "__pycache__"}
DIAGRAMS = {
    "flowchart", "graph", "sequenceDiagram", "stateDiagram-v2", "stateDiagram", "classDiagram", "erDiagram", "journey", "gantt", "pie", "timeline",
    "mindmap", "quadrantChart", "requirementDiagram", "gitGraph", "C4Context", "C4Container", "C4Component", "C4Dynamic", "C4Deployment",
}
SHELLS = {"", "sh", "bash", "shell", "console"}
FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w-]*)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s>]+(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+[\"'][^\"']*[\"'])?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?=\s|$)", re.MULTILINE)
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
FILE = re.compile(r"(?:[\w.-]+/)*[\w.-]+\.(?:rs|ya?ml|json|py|toml|md|html|js|mjs)")
PATTERN = re.compile(r"AP-(\d+)(?:\s+to\s+AP-(\d+))?")
COMMAND = r"(?:^|&&|\|\||[;|(])\s*\$?\s*(?:[A-Z_]+=\S*\s+)*"
SCRIPT = re.compile(r"(?<![\w./-])((?:scripts|bench|localstack|fuzz|tests)/[\w./-]+\.(?:py|sh|mjs))\b")
PLACE = re.compile(
    r"(?:functions|shared|api|cli|statemachines|events|infra|localstack|tests|bench|scripts|fuzz|docs|\.github)/[\w./-]+\.(?:rs|ya?ml|json|py|toml|md|html|js|sh|mjs|txt)"
)
# Pages whose sequence diagrams follow the booking saga: notes over it name its states.
SAGA_PAGES = ("docs/sequences.md",)
SAGA = "statemachines/booking-saga.asl.json"
# Phrases that read as if translated, and the term of art for each. docs/CONVENTIONS.md ("Voice") has the reasons.
BANNED = (
    (r"said again", "replayed"),
    (r"whose word", "the initiator; for TLS, the trust root"),
    (r"(?:leaves?|left) word", "stores the task token"),
    (r"does not stand|do not stand|still stands", "is invalid"),
    (r"the undoing\b", "the compensation"),
    (r"[Hh]eld to (?!available|sold)(?:the|its|it|what|by)\b", "checked against"),
    (r"do not go together", "do not match"),
    (r"no refusal of ours", "say who refuses"),
    (r"\b(?:fn |def test_)(?:what|who|whoever|whatever)_\w+", "a name that states a behaviour"),
    (r"[Ww]hat (?:went|goes) wrong on the way", "the cause"),
    (r"^\s*(?://[/!]?|#) (?:What|Who|Whoever|Whatever|Whose|Which|Of)\b(?!.*\?)", "a comment that begins with its subject"),
    (r'^\s*(?:"description": "|""")(?:What|Who|Whoever|Whatever|Whose|Of)\b(?!.*\?)', "a sentence that begins with its subject"),
)
# An address in this project's own repository, whatever its name was when the line was written.
OWN_ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+(?=/(?:blob/main/(?:docs|events)/|security/advisories))")
# The places that quote the phrases.
QUOTES_BANNED = {"docs/CONVENTIONS.md", "CHANGELOG.md", "scripts/docs_checks.py", "scripts/tests/test_docs.py"}
# The tests of the rule on addresses.
QUOTES_ADDRESSES = {"scripts/tests/test_docs.py"}
# The sections of docs/LOGGING.md that have messages, and the column they are in.
MESSAGES = {"One line an invocation": 1, "When something is wrong": 2}
PAUSE = re.compile(r"\b(?:sleep|sleep_until|interval|interval_at)\(")
PROSE = {".rs", ".md", ".yaml", ".yml", ".py", ".toml", ".json", ".html", ".mjs"}


@dataclass(frozen=True)
class Finding:
    """A violation of a rule, and its place."""

    place: str
    line: int
    what: str

    def __str__(self):
        return f"{self.place}:{self.line}: {self.what}" if self.line else f"{self.place}: {self.what}"


def cited(text):
    """The files that a text names in code, some with a function behind `::`."""
    return [name for code in CODE.finditer(text) if FILE.fullmatch((name := code[2].strip()).partition("::")[0])]


def missing(root, names):
    """The files that are not there, or that lack the function behind `::`."""
    for name in names:
        path, _, function = name.partition("::")
        if not (root / path).exists():
            yield f"there is no {path}"
        elif function and not re.search(rf"\b(?:fn|def|async) {re.escape(function)}\b", (root / path).read_text()):
            yield f"{path} has no {function}"


@dataclass(frozen=True)
class Block:
    """A fenced or indented block: its language, its lines, and the number of its first."""

    language: str
    line: int
    lines: tuple


def pages(root):
    """Every page of the checkout, by its path."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and (not name.startswith(".") or name == ".github"))
        found += [Path(folder) / name for name in files if name.endswith(".md")]
    return {str(file.relative_to(root)): file.read_text() for file in sorted(found)}


def split(page):
    """A page's prose as (number, line), and its blocks. A fence that is never closed is a block to the end."""
    prose, blocks, lines = [], [], page.splitlines()
    index, blank = 0, True
    while index < len(lines):
        line = lines[index]
        if fence := FENCE.match(line):
            end = index + 1
            while end < len(lines) and not re.match(rf"^\s*{re.escape(fence[1][0])}{{{len(fence[1])},}}\s*$", lines[end]):
                end += 1
            closed = end < len(lines)
            blocks.append(Block(fence[2] if closed else "?", index + 2, tuple(lines[index + 1 : end])))
            index, blank = end + 1, True
        elif blank and re.match(r"^(?: {4}|\t)\s*\S", line):
            end = index
            while end < len(lines) and (not lines[end].strip() or re.match(r"^(?: {4}|\t)", lines[end])):
                end += 1
            blocks.append(Block("", index + 1, tuple(lines[index:end])))
            # Within a list, what is indented may be prose as well: its links count.
            prose += [(number + 1, lines[number]) for number in range(index, end)]
            index, blank = end, True
        else:
            prose.append((index + 1, line))
            blank = not line.strip()
            index += 1
    return prose, blocks


def slug(heading):
    """A heading's anchor, as GitHub makes it."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"<[^>]+>", "", text)
    text = re.sub(r"(?<!\w)([*_]{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", text.replace("`", ""))
    return "".join(character for character in text.lower() if character.isalnum() or character in "_- ").replace(" ", "-")


def anchors(page):
    """Every anchor of a page."""
    prose, _ = split(page)
    found, counted = set(), {}
    for _, line in prose:
        if match := HEADING.match(line):
            name = slug(match[1])
            number = counted.get(name, 0)
            counted[name] = number + 1
            found.add(f"{name}-{number}" if number else name)
        found.update(re.findall(r'<a\s+(?:id|name)="([^"]+)"', line))
    return found


# The rules.


def links(root):
    """Every relative link leads to a file that is there, and to a heading that it has."""
    everything = pages(root)
    known = {}
    for place, page in everything.items():
        for number, text in _paragraphs(split(page)[0]):
            plain = CODE.sub(lambda code: "`" * len(code[0]), text)
            found = [(match[1], match.start()) for match in LINK.finditer(plain)]
            found += [(match[1], match.start()) for match in REFERENCE.finditer(plain)]
            for target, start in found:
                line = number + plain.count("\n", 0, start)
                if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
                    continue
                path, _, anchor = target.partition("#")
                file = (root / place).parent / path if path else root / place
                if not file.exists():
                    yield Finding(place, line, f"{target} leads to nothing")
                    continue
                there = os.path.relpath(file, root)
                if anchor and there in everything:
                    if there not in known:
                        known[there] = anchors(everything[there])
                    if anchor not in known[there]:
                        yield Finding(place, line, f"{target}: {there} has no heading for #{anchor}")


def _paragraphs(prose):
    """Lines that follow each other, as one text with the number of its first: a link may go on in the next line."""
    first, lines, last = 0, [], None
    for number, line in [*prose, (None, "")]:
        if line.strip() and last is not None and number == last + 1 and lines:
            lines.append(line)
        else:
            if lines:
                yield first, "\n".join(lines)
            first, lines = number, [line] if line.strip() else []
        last = number


def _expanded(text):
    for match in PATTERN.finditer(text):
        first = int(match[1])
        for number in range(first, int(match[2] or first) + 1):
            yield f"AP-{number:02}"


def access_patterns(root):
    """Every access pattern of the code is a row of the data model under the name of its method, every row is in the code, and no page names another."""
    model = "docs/data-model.md"
    if not (root / model).exists():
        return [Finding(model, 0, "is missing")]
    rows, findings = {}, []
    for number, line in enumerate((root / model).read_text().splitlines(), 1):
        if match := re.match(r"\|\s*AP-(\d+) [a-z][^|]*\|([^|]*)\|", line):
            name = f"AP-{int(match[1]):02}"
            if name in rows:
                findings.append(Finding(model, number, f"{name} has a row already, in line {rows[name][0]}"))
            rows[name] = (number, set(re.findall(r"\b([a-z_0-9]+)`", match[2])))
    defined, places = {}, {}
    for file in sorted(file for top in ("functions", "shared") for file in (root / top).glob("*/src/**/*.rs")):
        place, lines = str(file.relative_to(root)), file.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            for name in _expanded(line):
                places.setdefault(name, (place, number))
            if match := re.match(r"\s*/// AP-(\d+)\b", line):
                rest = "\n".join(lines[number:])
                function = re.search(r"^\s*(?:pub(?:\([a-z]+\))?\s+)?(?:async\s+)?fn\s+(\w+)", rest, re.MULTILINE)
                if function:
                    defined.setdefault(f"AP-{int(match[1]):02}", []).append((function[1], place, number))
    for name, (place, number) in sorted(places.items()):
        if name not in rows:
            findings.append(Finding(place, number, f"{name} is not in {model}"))
    for name, (number, methods) in rows.items():
        if name not in defined:
            findings.append(Finding(model, number, f"no method of the code says that it is {name}"))
        elif not methods & {function for function, _, _ in defined[name]}:
            functions = ", ".join(sorted({function for function, _, _ in defined[name]}))
            findings.append(Finding(model, number, f"{name} is {functions} in the code, which its row does not name"))
    for place, page in pages(root).items():
        for number, line in enumerate(page.splitlines(), 1):
            for name in _expanded(line):
                if name not in rows:
                    findings.append(Finding(place, number, f"{name} is not in {model}"))
    return findings


def decisions(root):
    """Every decision is linked from their index, and no number is used twice."""
    index = "docs/adr/README.md"
    page = (root / index).read_text() if (root / index).exists() else ""
    files = sorted(file.name for file in (root / "docs/adr").glob("[0-9]*.md"))
    numbers = [name.split("-")[0] for name in files]
    for place, (number, name) in enumerate(zip(numbers, files, strict=True)):
        if number in numbers[:place]:
            yield Finding(f"docs/adr/{name}", 0, f"another decision is number {number}")
        if f"({name})" not in page:
            yield Finding(index, 0, f"{name} is not listed")


def index(root):
    """Every page of docs/ is linked from docs/README.md."""
    place = "docs/README.md"
    page = (root / place).read_text() if (root / place).exists() else ""
    for file in sorted((root / "docs").glob("*.md")):
        if file.name != "README.md" and f"({file.name})" not in page:
            yield Finding(place, 0, f"{file.name} is not listed")


def problems(root):
    """Every code of a refusal has a heading and a row in docs/problems.md, and no other has."""
    place, code = "docs/problems.md", (root / "shared/runtime/src/problem.rs").read_text()
    enum = re.search(r"pub enum Code \{\n(.*?)\n\}", code, re.DOTALL)
    known = {_kebab(name).replace("-", "_").upper() for name in re.findall(r"^    ([A-Z]\w*),", enum[1] if enum else "", re.MULTILINE)}
    # API Gateway answers with some of its own.
    known |= set(re.findall(r'"code":"([A-Z_]+)"', (root / "template.yaml").read_text()))
    page = (root / place).read_text() if (root / place).exists() else ""
    headings, rows = (set(re.findall(pattern, page, re.MULTILINE)) for pattern in (r"^## ([A-Z_]+)$", r"^\| \[([A-Z_]+)\]\(#"))
    for name in sorted(known - headings):
        yield Finding(place, 0, f"{name} has no heading")
    for name in sorted(known - rows):
        yield Finding(place, 0, f"{name} has no row")
    for name in sorted((headings | rows) - known):
        yield Finding(place, 0, f"no answer has the code {name}")


def targets(root):
    makefile = (root / "Makefile").read_text()
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE))


def commands(root):
    """The commands that `boxoffice` understands, each with its subcommands, and every option there is."""
    main = (root / "cli/src/main.rs").read_text()
    found = {}
    for variant, module, kind in re.findall(r"^\s{4}(\w+)\(command::(\w+)::(\w+)\)", main, re.MULTILINE):
        own = set()
        if kind == "Command":
            code = (root / f"cli/src/command/{module}.rs").read_text()
            body = re.search(r"enum Command \{\n(.*?)\n\}", code, re.DOTALL)
            own = {_kebab(name) for name in re.findall(r"^\s{4}([A-Z]\w*)", body[1], re.MULTILINE)} if body else set()
        found[_kebab(variant)] = own
    options = {"help", "version"}
    for file in [root / "cli/src/main.rs", *(root / "cli/src/command").glob("*.rs")]:
        for arguments, field in re.findall(r"#\[arg\(([^\]]*\blong\b[^\]]*)\)\]\s*(?:pub(?:\([a-z]+\))?\s+)?(\w+):", file.read_text()):
            named = re.search(r'long = "([\w-]+)"', arguments)
            options.add(named[1] if named else field.replace("_", "-"))
    return found, options


def _kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _command_lines(page):
    """The lines that show a command: those of shell blocks, and code within prose."""
    prose, blocks = split(page)
    for block in blocks:
        if block.language in SHELLS:
            pending = ""
            for offset, line in enumerate(block.lines):
                line = pending + line.strip()
                pending = line[:-1] if line.endswith("\\") else ""
                if not pending:
                    yield block.line + offset, re.split(r"\s#\s", line)[0]
    for number, line in prose:
        for code in CODE.finditer(line):
            yield number, code[2].strip()


def named_commands(root):
    """Every make target, script and boxoffice command that a page shows is there."""
    known_targets, (known, options) = targets(root), commands(root)
    for place, page in pages(root).items():
        for number, line in sorted(set(_command_lines(page))):
            for match in re.finditer(rf"{COMMAND}make\s+(?:--?[\w-]+\s+)*([a-z][\w-]*)", line):
                if match[1] not in known_targets:
                    yield Finding(place, number, f"make has no target {match[1]}")
            for match in SCRIPT.finditer(line):
                if not (root / match[1]).exists() and not ((root / place).parent / match[1]).exists():
                    yield Finding(place, number, f"there is no {match[1]}")
            for match in re.finditer(rf"(?:{COMMAND}(?:\S*/)?boxoffice|-p(?:ackage)? boxoffice-cli --)((?:\s+[^\s|;&]+)*)", line):
                yield from (Finding(place, number, what) for what in _misunderstood(match[1].split(), known, options))


def _misunderstood(words, known, options):
    if words and words[0] == "--json":
        words = words[1:]
    if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
        return
    if words[0] not in known:
        yield f"boxoffice has no command {words[0]}"
        return
    own = known[words[0]]
    if own and len(words) > 1 and re.fullmatch(r"[a-z][a-z-]*", words[1]) and words[1] not in own:
        yield f"boxoffice {words[0]} has no command {words[1]}"
    for word in words:
        option = re.match(r"--([a-z][a-z-]*)", word)
        if option and option[1] not in options:
            yield f"boxoffice has no option --{option[1]}"


def places(root):
    """Every file of the checkout that a page names in code is there; so is the function that is named behind `::`."""
    for place, page in pages(root).items():
        for number, line in split(page)[0]:
            for code in CODE.finditer(line):
                path, _, function = code[2].strip().partition("::")
                if not PLACE.fullmatch(path):
                    continue
                file = root / path
                if not file.exists():
                    file = (root / place).parent / path
                if not file.exists():
                    yield Finding(place, number, f"there is no {path}")
                elif function and not re.search(rf"\b(?:fn|def) {re.escape(function)}\b", file.read_text()):
                    yield Finding(place, number, f"{path} has no {function}")


def diagrams(root):
    """Every Mermaid block is closed and opens with a type that Mermaid knows."""
    for place, page in pages(root).items():
        for block in split(page)[1]:
            if block.language == "?":
                yield Finding(place, block.line - 1, "this fence is never closed")
            if block.language == "mermaid":
                first = next((line.split()[0].rstrip(";") for line in block.lines if line.strip() and not line.strip().startswith("%%")), "")
                if first not in DIAGRAMS:
                    yield Finding(place, block.line, f"Mermaid has no diagram {first!r}")


def saga_states(root):
    """Sequence diagrams of the saga name its states as the machine does, and every state of it is in one."""
    states = set(json.loads((root / SAGA).read_text().replace("${HoldSeconds}", "60"))["States"])
    for place in SAGA_PAGES:
        if not (root / place).exists():
            yield Finding(place, 0, "is missing")
            continue
        named = set()
        for block in split((root / place).read_text())[1]:
            for offset, line in enumerate(block.lines):
                if match := re.match(r"\s*Note over Saga:\s*(.*)", line):
                    for state in re.split(r"\s*→\s*", match[1].split(":")[0]):
                        named.add(state.strip())
                        if state.strip() not in states:
                            yield Finding(place, block.line + offset, f"the saga has no state {state.strip()!r}")
        for state in sorted(states - named):
            yield Finding(place, 0, f"no diagram has the saga's state {state}")


def current(root):
    """Every generated part is what would be generated now."""
    made = {generated.CATALOGUE: lambda _: generated.catalogue(root), generated.DEPLOYING: lambda page: generated.with_parameters(page, generated.parameters(root))}
    how = {generated.CATALOGUE: "events", generated.DEPLOYING: "parameters"}
    for place, make in made.items():
        if not (root / place).exists():
            yield Finding(place, 0, f"is missing: python3 scripts/docs.py {how[place]}")
            continue
        page = (root / place).read_text()
        try:
            due = make(page)
        except (generated.Missing, template_yaml.Unreadable) as problem:
            yield Finding(place, 0, str(problem))
            continue
        if page != due:
            first = next((number for number, (is_, should) in enumerate(zip(page.splitlines(), due.splitlines()), 1) if is_ != should), 0)
            yield Finding(place, first, f"is out of date: python3 scripts/docs.py {how[place]}")


def texts(root):
    """Every text of the project with its place."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        for file in sorted(Path(folder) / name for name in files if Path(name).suffix in PROSE):
            yield str(file.relative_to(root)), file.read_text()


def voice(root):
    """No text has a phrase that reads as if translated (docs/CONVENTIONS.md)."""
    banned = [(re.compile(phrase), better) for phrase, better in BANNED]
    for place, text in texts(root):
        # A decision is history: it keeps the words it was made in.
        if place in QUOTES_BANNED or place.startswith("docs/adr/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for phrase, better in banned:
                if match := phrase.search(line):
                    yield Finding(place, number, f"{match[0]!r}: write {better}")


def repository(root):
    """Every address in the repository starts with the one that Cargo.toml states."""
    stated = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["repository"]
    for place, text in texts(root):
        if place in QUOTES_ADDRESSES:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for address in OWN_ADDRESS.findall(line):
                if address != stated:
                    yield Finding(place, number, f"{address} is not {stated}: python3 scripts/docs.py repository")


def pauses(root):
    """No product code sleeps: a wait belongs to the caller, the queue or the state machine, where it costs nothing (docs/CONVENTIONS.md)."""
    sources = [*root.glob("functions/*/src"), *root.glob("shared/*/src"), *root.glob("cli/src")]
    for folder in sorted(sources):
        for file in sorted(folder.rglob("*.rs")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                if PAUSE.search(line.split("//")[0]):
                    yield Finding(str(file.relative_to(root)), number, "sleeps: look again under a condition, or answer and be called again")


def log_messages(root):
    """Every message that docs/LOGGING.md explains is written by the code, and every error of the code is explained there."""
    place = "docs/LOGGING.md"
    page = (root / place).read_text() if (root / place).exists() else ""
    sources = [file for folder in ("functions", "shared") for file in sorted((root / folder).glob("*/src/**/*.rs"))]
    code = {file: file.read_text().split("#[cfg(test)]")[0] for file in sources}
    written = set(re.findall(r'"((?:[^"\\\n]|\\.)+)"', "\n".join(code.values())))
    column = None
    for number, line in enumerate(page.splitlines(), 1):
        column = MESSAGES.get(line[3:]) if line.startswith("## ") else column
        cells = line.split("|")
        if column and len(cells) > column:
            for name in re.findall(r"`([^`…]+)`", cells[column]):
                if name not in written:
                    yield Finding(place, number, f"no program writes {name!r}")
    for file, text in code.items():
        for call in re.finditer(r'tracing::error!\((?:[^;]*?)"((?:[^"\\\n{}]|\\.)+)"\s*\)', text):
            if f"`{call[1]}`" not in page:
                yield Finding(str(file.relative_to(root)), text.count("\n", 0, call.start()) + 1, f"{place} does not explain {call[1]!r}")


RULES = (links, access_patterns, decisions, index, problems, named_commands, places, diagrams, saga_states, current, voice, repository, pauses, log_messages)
