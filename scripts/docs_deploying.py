"""The rules that docs/deploying.md is held to: its commands, `samconfig.toml` and the template's parameters are one story.

The commands are walked: all of the page's shell blocks run in one bash, in their order, with functions in place of the programs. Nothing is deployed, built or
asked of anybody, and a command that has no stand-in here ends the walk. A stand-in notes how it was called and answers as far as the page goes on with the answer.
"""

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import docs_checks as docs
import docs_generated as generated
import template_yaml

GUIDE = "docs/deploying.md"
# The section whose commands deploy over an existing stack.
UPGRADE = "## Upgrading"
# The section that names what a reader needs, and the file that pins what this checkout uses.
BEFORE, PINNED = "## Before", "localstack/requirements/tools.txt"
# The programs that a call needs, as that section names them. cargo-lambda links with Zig, which `cargo install` does not bring.
NEEDS = (
    (("aws",), ("AWS CLI",)),
    (("sam",), ("SAM CLI",)),
    (("cargo",), ("rustup",)),
    (("cargo", "lambda"), ("cargo-lambda", "Zig")),
)
TARGETS = {"--arm64": "aarch64-unknown-linux-gnu"}
# Limits that a new account applies without refusing a call, by the template's action that meets them: the words that the guide must have.
HELD_BACK = {
    "ses:SendEmail": ("sandbox", "request-production-access"),
    "sns:Publish": ("spending limit of 1 USD a month", "channels-sms-awssupport-spend-threshold", "SENT, and nothing arrives"),
}
WALK_SECONDS = 60
NAMED_VALUE = re.compile(r"([A-Z][A-Za-z]*[a-z][A-Za-z]*)=(\S*)")

# A note of a call has the line in the page, the variables that decide where the call goes, and its words, each ended by a unit separator; a record separator ends
# the note. An answer is the value, list or document that the page goes on with.
STAND_INS = r"""
set -euo pipefail
PATH=
at() { LINE=$1; }
note() { printf '%s\037' "$LINE" "${AWS_REGION-}" "${AWS_DEFAULT_REGION-}" "${RUSTFLAGS-}" "$@" >> "$CALLS"; printf '\036' >> "$CALLS"; }
python3() { "$PYTHON" "$@"; }
aws() {
  note aws "$@"
  case "$*" in
    *"configure export-credentials"*) echo "export AWS_ACCESS_KEY_ID=walk AWS_SECRET_ACCESS_KEY=walk" ;;
    *" scan "*) echo '[{"pk": {"S": "walk"}}]' ;;
    *) echo walk ;;
  esac
}
sam() { note sam "$@"; }
cargo() { note cargo "$@"; }
git() { note git "$@"; }
curl() { note curl "$@"; }
export LINE=0
"""


@dataclass(frozen=True)
class Call:
    """A program that the page calls, with its words, and the variables that decide where it goes."""

    line: int
    words: tuple
    environment: dict

    def option(self, name):
        """The word behind an option, or nothing."""
        return next((after for word, after in zip(self.words, self.words[1:], strict=False) if word == name), None)

    def begins(self, *words):
        return self.words[: len(words)] == words

    def overrides(self):
        """The parameters that a call names behind `--parameter-overrides`."""
        if "--parameter-overrides" not in self.words:
            return []
        rest = self.words[self.words.index("--parameter-overrides") + 1 :]
        words = [word for text in rest for word in shlex.split(text)]
        return [word.split("=", 1) for word in words if re.match(r"\w+=", word)]


def environments(root):
    """Each environment of samconfig.toml: its stack and its parameters."""
    found = {}
    for name, commands in tomllib.loads((root / "samconfig.toml").read_text()).items():
        parameters = commands.get("deploy", {}).get("parameters", {}) if isinstance(commands, dict) else {}
        if "stack_name" in parameters:
            found[name] = parameters["stack_name"], [text.split("=", 1) for text in parameters.get("parameter_overrides", [])]
    return found


def refusal(declared, name, value):
    """Why the template would refuse this value of this parameter, or nothing."""
    if name not in declared:
        return f"the template has no parameter {name}"
    it = declared[name]
    if "AllowedValues" in it and value not in [str(allowed) for allowed in it["AllowedValues"]]:
        return f"{name} may not be {value}"
    # `…` stands for a value of the reader's own.
    if "AllowedPattern" in it and "…" not in value and not re.fullmatch(it["AllowedPattern"], value):
        return f"{name} may not be {value}"
    if it["Type"] == "Number" and "…" not in value:
        number = int(value) if re.fullmatch(r"-?\d+", value) else None
        if number is None or number < it.get("MinValue", number) or number > it.get("MaxValue", number):
            return f"{name} may not be {value}"
    return None


def walk(root):
    """Every call of the page's shell blocks, in their order; then, should the walk have ended early, where and why."""
    lines = [STAND_INS]
    for block in docs.split((root / GUIDE).read_text())[1]:
        if block.language == "sh":
            lines.append(f"at {block.line}")
            # `<the version before>` is for the reader to fill in.
            lines += [re.sub(r"<[a-z ]+>", "walk", line) for line in block.lines]
    with tempfile.TemporaryDirectory() as folder:
        calls = Path(folder) / "calls"
        calls.touch()
        environment = {"CALLS": str(calls), "PYTHON": sys.executable, "HOME": folder}
        done = subprocess.run(
            [shutil.which("bash") or "bash", "--noprofile", "--norc", "-c", "\n".join(lines)], cwd=folder, env=environment, input="sk_test_walk\n",
            capture_output=True, text=True, timeout=WALK_SECONDS, check=False,
        )
        notes = [note.split("\037")[:-1] for note in calls.read_text().split("\036")[:-1]]
    found = [
        Call(int(line), tuple(words), {"AWS_REGION": region, "AWS_DEFAULT_REGION": default, "RUSTFLAGS": flags})
        for line, region, default, flags, *words in notes
    ]
    if done.returncode == 0:
        return found, None
    why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}"
    return found, docs.Finding(GUIDE, found[-1].line if found else 0, f"the walk ends after this: {why}")


# The rules.


def parameters(root):
    """Every parameter that samconfig.toml or a page gives a value is the template's, and may have that value."""
    declared = generated.template(root)["Parameters"]
    for name, (_, given) in environments(root).items():
        for parameter, value in given:
            if what := refusal(declared, parameter, value):
                yield docs.Finding("samconfig.toml", 0, f"{name}: {what}")
        required = {parameter for parameter, it in declared.items() if "Default" not in it}
        page = (root / GUIDE).read_text()
        for parameter in sorted(required - {parameter for parameter, _ in given}):
            if f"`{parameter}=" not in page:
                yield docs.Finding("samconfig.toml", 0, f"{name}: {parameter} must be given, and neither this file nor {GUIDE} gives it")
    for place, page in docs.pages(root).items():
        for number, line in docs.split(page)[0]:
            for code in docs.CODE.finditer(line):
                match = NAMED_VALUE.fullmatch(code[2].strip())
                if match and (place == GUIDE or match[1] in declared) and (what := refusal(declared, match[1], match[2])):
                    yield docs.Finding(place, number, what)


def deployment(root):
    """The deployment guide's commands can be walked in their order, and say of region, environment, stack and parameters what samconfig.toml and the template say."""
    calls, stopped = walk(root)
    if stopped:
        yield stopped
    declared, known = generated.template(root)["Parameters"], environments(root)
    stacks = {stack for stack, _ in known.values()}
    upgrade = (root / GUIDE).read_text().split(UPGRADE)[0].count("\n") + 1
    made, built, keys, deployed = set(), set(), set(), {}
    for call in calls:
        def wrong(what, call=call):
            return docs.Finding(GUIDE, call.line, f"{shlex.join(call.words[:4])}: {what}")

        region, default = call.environment["AWS_REGION"], call.environment["AWS_DEFAULT_REGION"]
        if call.words[0] in ("aws", "sam") and not call.begins("sam", "build") and (not region or region != default):
            yield wrong(f"AWS_REGION is {region or 'not set'} and AWS_DEFAULT_REGION {default or 'not set'}; the SAM CLI reads only the second, all others the first")
        environment = call.option("--config-env") or call.option("--environment")
        if environment and environment not in known:
            yield wrong(f"samconfig.toml has no environment {environment}")
        stack = call.option("--stack") or call.option("--stack-name")
        if stack and stack not in stacks:
            yield wrong(f"samconfig.toml has no stack {stack}")
        for name, value in call.overrides():
            if what := refusal(declared, name, value):
                yield wrong(what)
        if (call.begins("sam", "build") or call.begins("cargo", "lambda", "build")) and not call.environment["RUSTFLAGS"]:
            yield wrong("RUSTFLAGS is not set, so the two builds differ and the second compiles everything again")
        if call.begins("aws", "ssm", "put-parameter"):
            made.add(call.option("--name"))
        if "keys" in call.words and "create" in call.words:
            keys.add(environment)
        if call.begins("sam", "build"):
            built.add(environment)
        if call.begins("sam", "deploy"):
            if environment not in deployed and call.overrides():
                yield wrong("the first deployment of an environment names parameters, so all others of samconfig.toml are left out, until the first upgrade")
            first = deployed.setdefault(environment, call)
            if call.line > upgrade and not call.overrides() and call.words != first.words:
                yield wrong(f"an upgrade is another command than the first deployment, in line {first.line}: its parameters may be others")
            if environment == next(iter(deployed)):
                if f"/boxoffice/{environment}/stripe-secret-key" not in made or environment not in keys:
                    yield wrong("it comes before the secrets that it needs")
                if environment not in built:
                    yield wrong("it comes before its build")
    for environment in known.keys() - deployed.keys() - {"local"}:
        yield docs.Finding(GUIDE, 0, f"no command deploys {environment}")


def prerequisites(root):
    """The deployment guide lists every program that its commands need, in the version that this checkout is built with."""
    page = (root / GUIDE).read_text()
    section, calls = page.partition(BEFORE)[2].partition("\n## ")[0], walk(root)[0]
    for words, names in NEEDS:
        call = next((call for call in calls if call.begins(*words)), None)
        for name in names:
            if call and name not in section:
                yield docs.Finding(GUIDE, call.line, f"{' '.join(words)} needs {name}, which {BEFORE.strip('# ')!r} does not name")
    for call in calls:
        for option, target in TARGETS.items():
            if option in call.words and target not in section:
                yield docs.Finding(GUIDE, call.line, f"{option} needs the target {target}, which {BEFORE.strip('# ')!r} does not name")
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", (root / PINNED).read_text(), re.MULTILINE))
    for name, said in (("cargo-lambda", r"cargo-lambda\]\([^)]*\) ([\d.]+)"), ("aws-sam-cli", r"SAM CLI\]\([^)]*\) ([\d.]+)")):
        version = re.search(said, section)
        pinned = ".".join(pins.get(name, "").split(".")[:2])
        if not version or version[1] != pinned:
            yield docs.Finding(GUIDE, 0, f"{BEFORE.strip('# ')!r} names {name} {version[1] if version else 'without a version'}, and {PINNED} has {pinned}")
    if "cargo-lambda" in pins and "ziglang" not in pins:
        yield docs.Finding(PINNED, 0, "cargo-lambda is there without ziglang, which it links with")


def new_accounts(root):
    """The deployment guide says what a new account takes and does not deliver, of each service that messages go by."""
    page, template = (root / GUIDE).read_text(), (root / "template.yaml").read_text()
    for action, texts in HELD_BACK.items():
        for text in texts:
            if action in template and text not in " ".join(page.replace("**", "").split()):
                yield docs.Finding(GUIDE, 0, f"{action}: nothing says {text!r} of a new account")


RULES = (parameters, deployment, prerequisites, new_accounts)
