"""The application's templates as Python values: as they are written, and as SAM expands them.

`!Ref X` is {"Ref": "X"}, as in CloudFormation's JSON. Rules look at what SAM makes of `template.yaml`, since that is what gets deployed: Globals are in every
function, every role has its policies, every rule its targets.
"""

import contextlib
import copy
import io
import json
import logging
import os
import re
import tomllib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import yaml

ROOT = Path(__file__).resolve().parents[2]
# SAM reads the region to know its partition; it makes no call.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")


class Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags."""


def short_tag(loader: Loader, suffix: str, node: yaml.Node):
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", short_tag)


@cache
def written(path: str) -> dict:
    return yaml.load((ROOT / path).read_text(), Loader)  # noqa: S506, a safe loader


class App:
    """All templates. A test changes `main` or `nested`, and what SAM makes of them follows."""

    def __init__(self) -> None:
        self.main = copy.deepcopy(written("template.yaml"))
        self.nested = {
            path.stem: copy.deepcopy(written(f"infra/{path.name}"))
            for path in sorted((ROOT / "infra").glob("*.yaml")) if path.name != "policies.yaml"
        }
        self.lists = copy.deepcopy(written("infra/policies.yaml"))
        self.environments = tomllib.loads((ROOT / "samconfig.toml").read_text())
        self.environments.pop("version")
        self.grafana = json.loads((ROOT / "infra/grafana/dashboard.json").read_text())
        self.yace = copy.deepcopy(written("infra/grafana/yace.yml"))
        self.metrics = set(metrics_in_programs()), set(metrics_in_logging())
        self.runbooks = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}
        self._expanded: dict | None = None

    @property
    def expanded(self) -> dict:
        if self._expanded is None:
            self._expanded = as_written() if self.main == written("template.yaml") else expand(self.main)
        return self._expanded

    def resources(self, kind: str) -> dict[str, dict]:
        """Resources of this type in what SAM makes of `template.yaml`."""
        return {name: it for name, it in self.expanded["Resources"].items() if it["Type"] == kind}

    def nested_resources(self, kind: str) -> dict[str, dict]:
        """Resources of this type in what `template.yaml` nests."""
        return {
            name: it for template in self.nested.values() for name, it in template["Resources"].items() if it["Type"] == kind
        }

    def functions(self) -> dict[str, dict]:
        """Lambda functions by the names they have after the stack's."""
        return {short_name(it["Properties"]["FunctionName"]): it for it in self.resources("AWS::Lambda::Function").values()}

    def main_functions(self) -> dict[str, dict]:
        """Functions as `template.yaml` has them, by the same names."""
        return {
            short_name(it["Properties"]["FunctionName"]): it["Properties"]
            for it in self.main["Resources"].values() if it["Type"] == "AWS::Serverless::Function"
        }

    def machines(self) -> dict[str, dict]:
        """State machines by the names they have after the stack's."""
        return {short_name(it["Properties"]["StateMachineName"]): it for it in self.resources("AWS::StepFunctions::StateMachine").values()}

    def role(self, resource: dict) -> dict:
        """The role of a function or a state machine."""
        role = resource["Properties"].get("Role") or resource["Properties"]["RoleArn"]
        return self.expanded["Resources"][role["Fn::GetAtt"][0]]["Properties"]


@cache
def metrics_in_programs() -> frozenset[str]:
    """Names of metrics as the programs write them: where a `Metric` is made, and where events are counted."""
    found = set()
    for folder in ("functions", "shared"):
        for path in (ROOT / folder).glob("**/src/**/*.rs"):
            text = path.read_text().split("#[cfg(test)]")[0]
            found |= set(re.findall(r'Metric::(?:count|time)\(\s*"(\w+)"', text)) | set(re.findall(r'Metric \{ name: "(\w+)"', text))
    counted = (ROOT / "functions/platform/src/tally.rs").read_text().split("#[cfg(test)]")[0]
    return frozenset(found | set(re.findall(r'=> "(\w+)",', counted)))


@cache
def metrics_in_logging() -> frozenset[str]:
    """Names in the first column of the table of metrics."""
    section = (ROOT / "docs/LOGGING.md").read_text().split("## Metrics", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return frozenset(name for row in rows for name in re.findall(r"`(\w+)`", row))


@cache
def as_written() -> dict:
    return expand(written("template.yaml"))


def expand(main: dict) -> dict:
    """Expands the template by the SAM transform. Code and nested templates get addresses such as `sam package` would give them."""
    from samtranslator.swagger import swagger
    from samtranslator.translator.transform import transform

    template = copy.deepcopy(main)
    template["Globals"]["Function"]["CodeUri"] = "s3://code/zip"
    for resource in template["Resources"].values():
        match resource["Type"]:
            case "AWS::Serverless::Application":
                resource["Properties"]["Location"] = "https://s3.amazonaws.com/code/template"
            case "AWS::Serverless::StateMachine":
                resource["Properties"]["DefinitionUri"] = "s3://code/definition"
    logging.disable(logging.WARNING)
    # The transform copies the API's whole document twice per route, which is most of its time. Nothing here keeps the copies.
    uncopied = mock.patch.object(swagger, "_deepcopy", lambda document: document)
    with uncopied, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        expanded = transform(template, {}, SimpleNamespace(load=dict))
    logging.disable(logging.NOTSET)
    return expanded


def short_name(name: dict) -> str:
    """`create-ticket` of `!Sub ${AWS::StackName}-create-ticket`."""
    return name["Fn::Sub"].removeprefix("${AWS::StackName}-")


def branches(value) -> list:
    """The possible values: both ends of every `!If`, except AWS::NoValue."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [end for branch in value["Fn::If"][1:] for end in branches(branch)]
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def chosen(value, conditions: dict[str, bool]):
    """The value under these conditions."""
    while isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        value = yes if conditions[condition] else no
    return value


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def said(value) -> str:
    """A resource of a policy, as `infra/policies.yaml` names it."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return "${" + name + "}"
        case {"Fn::GetAtt": [stack, output]} if output.startswith("Outputs."):
            return output.removeprefix("Outputs.").removesuffix("Arn")
        case {"Fn::GetAtt": [name, "Arn"]}:
            return name
        case {"Fn::If": [_, *ends]}:
            return " or ".join(said(end) for end in ends)
        case {"Fn::Sub": [text, dict(names)]}:
            for name, inner in names.items():
                text = text.replace("${" + name + "}", f"({said(inner)})" if "Fn::If" in inner else said(inner))
            return without_account(text)
        case {"Fn::Sub": text}:
            return without_account(text)
    return str(value)


def without_account(text: str) -> str:
    """`function:${AWS::StackName}-reconcile`: the part of an ARN after whose it is, or a nested stack's output."""
    if text.startswith("${Tables.Outputs."):
        table, rest = text.removeprefix("${Tables.Outputs.").split("}", 1)
        return table.removesuffix("Arn") + rest
    prefix = "arn:${AWS::Partition}:"
    whose = ":${AWS::Region}:${AWS::AccountId}:"
    return text.split(whose, 1)[1] if text.startswith(prefix) and whose in text else text
