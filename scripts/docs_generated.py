"""The parts of the documentation that are made from what they describe: the event catalogue, and the parameters of a deployment."""

import json
import re

import template_yaml

CATALOGUE = "docs/events.md"
DEPLOYING = "docs/deploying.md"
BEGIN, END = "<!-- parameters: made by `python3 scripts/docs.py parameters` -->", "<!-- end of parameters -->"
# Names for kinds of text, by their pattern.
TEXTS = {
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$": "instant",
    r"^[^@\s]+@[^@\s]+\.[^@\s]+$": "mail address",
}
ID = re.compile(r"\^([a-z]{3})_\[0-9a-f\]\{3[28]\}(?::adm_\[0-9a-f\]\{38\})?\$")
MATCH_ARM = re.compile(r'^\s*"[A-Z]\w+"(?:\s*\|\s*"[A-Z]\w+")*\s*=>', re.MULTILINE)


class Missing(ValueError):
    """A source that a generated part needs is missing, or cannot be described."""


def template(root):
    return template_yaml.parse((root / "template.yaml").read_text())


# The event catalogue.


def event_types(root):
    """Each event type with its schema and its sample."""
    events = {}
    for file in sorted((root / "events").glob("*.schema.json")):
        name = file.name.removesuffix(".schema.json")
        sample = file.with_name(f"{name}.sample.json")
        if not sample.exists():
            raise Missing(f"events/{name}.sample.json is missing")
        events[name] = (json.loads(file.read_text()), json.loads(sample.read_text()))
    return events


def contexts(root):
    """The code of each context that states events, without its comments."""
    found = {}
    for file in sorted((root / "functions").glob("*/src/events.rs")):
        code = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("//"))
        names = set(re.findall(r'const CONTEXT: &\'static str = "(\w+)"', code))
        if len(names) == 1:
            found[names.pop()] = code
        elif names:
            raise Missing(f"{file.relative_to(root)} states events of {len(names)} contexts")
    return found


def source(root, event_type):
    """The source on the bus: the one context whose events.rs states this type."""
    states = [name for name, code in contexts(root).items() if re.search(rf"\b{event_type}\b", code)]
    if len(states) != 1:
        raise Missing(f"{event_type} is stated by {', '.join(states) or 'no context'}, not by one")
    return f"boxoffice.{states[0]}"


def emptied(resources):
    """The functions that empty queues: the queue's name to the function's."""
    found = {}
    for resource in resources.values():
        for event in ((resource.get("Properties") or {}).get("Events") or {}).values():
            if event["Type"] == "SQS":
                queue = str(event["Properties"]["Queue"]).rsplit(".", 1)[-1].removesuffix("Arn")
                found[queue] = re.sub(r"^\$\{AWS::StackName\}-", "", str(resource["Properties"]["FunctionName"]))
    return found


def rules(root):
    """Every rule of the bus: source, detail types, what else it asks of the event, and what it starts or who empties the queue that it fills."""
    found, named = [], 0
    for file in [root / "template.yaml", *sorted((root / "infra").glob("*.yaml"))]:
        text = file.read_text()
        named += len(re.findall(r"^\s*Type: (?:EventBridgeRule|AWS::Events::Rule)\s*$", text, re.MULTILINE))
        resources = template_yaml.parse(text).get("Resources") or {}
        for name, resource in resources.items():
            properties = resource.get("Properties") or {}
            if resource["Type"] == "AWS::Events::Rule":
                # One that runs by schedule has no pattern, and hears no event.
                pattern = properties.get("EventPattern")
                queues = [str(target.get("Arn")).rsplit(".", 1)[-1].removesuffix("Arn") for target in properties.get("Targets") or []]
                found.append((pattern or {"source": []}, next((emptied(resources)[queue] for queue in queues if queue in emptied(resources)), name)))
            own = properties.get("Name") or properties.get("FunctionName") or name
            for event in (properties.get("Events") or {}).values():
                if event["Type"] == "EventBridgeRule":
                    found.append((event["Properties"]["Pattern"], re.sub(r"^\$\{AWS::StackName\}-", "", str(own))))
    if len(found) != named:
        raise Missing(f"the templates name {named} rules, of which {len(found)} could be read")
    return found


def consumers(root):
    """The consumers of each event on the bus: (source, type) to (consumer, condition)."""
    heard = {}
    for pattern, target in rules(root):
        unknown = set(pattern) - {"source", "detail-type", "detail"}
        if unknown:
            raise Missing(f"the rule of {target} asks for {', '.join(sorted(unknown))}, which the catalogue cannot say")
        conditions = [
            f"`{field}` is {' or '.join(f'`{value}`' for value in values)}"
            for field, values in (pattern.get("detail") or {}).get("data", {}).items()
        ]
        for its_source in pattern["source"]:
            for event_type in pattern.get("detail-type", []):
                heard.setdefault((its_source, event_type), []).append((target, " and ".join(conditions)))
    return heard


def projected(root):
    """The types that the read models are kept from."""
    arms = MATCH_ARM.findall((root / "functions/reporting/src/news.rs").read_text())
    return {name for arm in arms for name in re.findall(r'"([A-Z]\w+)"', arm)}


def resolved(schema, part):
    """A part of a schema with what it refers to; what it says itself counts more."""
    while "$ref" in part:
        target = schema["$defs"][part["$ref"].removeprefix("#/$defs/")]
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def kind(part):
    """The type of a value, in words."""
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    pattern = part.get("pattern", "")
    if part.get("type") == "string":
        if match := ID.fullmatch(pattern):
            return f"`{match[1]}_…`"
        shape = TEXTS.get(pattern, "text")
        least, most = part.get("minLength"), part.get("maxLength")
        if least and most:
            shape += f", {least} to {most} characters"
        elif most:
            shape += f", at most {most} characters"
        # A pattern that only keeps control characters out says nothing that a reader needs.
        elif shape == "text" and pattern and not pattern.startswith("^[^"):
            shape += " like `" + pattern.replace("|", "\\|") + "`"
        return shape
    if part.get("type") in ("integer", "number"):
        least, most = part.get("minimum"), part.get("maximum")
        bounds = f", {least:,} to {most:,}" if most is not None else f", at least {least:,}" if least is not None else ""
        return part["type"] + bounds
    if part.get("type") == "array":
        return "list"
    return part.get("type", "any")


def fields(schema, part, prefix=""):
    """A row for each field, those within a field after it."""
    for name, value in part.get("properties", {}).items():
        value = resolved(schema, value)
        optional = "" if name in part.get("required", []) else "optional; "
        yield f"| `{prefix}{name}` | {optional}{kind(value)} | {_prose(value.get('description', ''))} |"
        if value.get("type") == "array":
            yield from fields(schema, resolved(schema, value["items"]), f"{prefix}{name}[].")
        else:
            yield from fields(schema, value, f"{prefix}{name}.")


def aggregate(schema):
    metadata = schema["properties"]["metadata"]["properties"]
    pattern = resolved(schema, metadata["aggregateId"])["pattern"]
    match = ID.fullmatch(pattern)
    if not match:
        raise Missing(f"{schema['title']}: an aggregate's id is not {pattern}")
    return f"{match[1]}_"


def catalogue(root):
    """docs/events.md."""
    heard, views, events = consumers(root), projected(root), event_types(root)
    index, parts = [], []
    for name, (schema, sample) in events.items():
        its_source = source(root, name)
        version = schema["properties"]["metadata"]["properties"]["schemaVersion"]["const"]
        who = [f"`{target}`" + (f", when {condition}" if condition else "") for target, condition in heard.get((its_source, name), [])]
        if name in views:
            who.append("`project-events`, from the event store's stream")
        index.append(f"| [{name}](#{name.lower()}) | `{its_source}` | `{aggregate(schema)}` | {schema['description']} | {'; '.join(who)} |")
        parts.append(
            "\n".join(
                [
                    f"## {name}",
                    "",
                    schema["description"],
                    "",
                    "| | |",
                    "|---|---|",
                    f"| source | `{its_source}` |",
                    f"| aggregate | `{aggregate(schema)}…` |",
                    f"| schema | [{name}.schema.json](../events/{name}.schema.json), version {version} |",
                    f"| consumers | {'; '.join(who) or 'none'} |",
                    "",
                    "| Field of `data` | Type | |",
                    "|---|---|---|",
                    *fields(schema, resolved(schema, schema["properties"]["data"])),
                    "",
                    "<details><summary>Sample</summary>",
                    "",
                    "```json",
                    json.dumps(sample, indent=2, ensure_ascii=False),
                    "```",
                    "",
                    "</details>",
                ]
            )
        )
    first = next(iter(events.values()))[0]
    common = resolved(first, first["properties"]["metadata"])
    # The metadata that all events share is documented once; a field that differs between types is described in general.
    general = {
        "eventType": ("text", "The type."),
        "schemaVersion": ("integer, at least 1", "The version of the type's schema."),
        "aggregateId": ("the aggregate's id", "The aggregate that changed."),
        "aggregateVersion": ("integer, at least 1", "The event's number within its aggregate: from 1, without gaps."),
    }
    metadata = []
    for name, value in common["properties"].items():
        value = resolved(first, value)
        what, means = general.get(name) or (kind(value), value.get("description", ""))
        metadata.append(f"| `{name}` | {what} | {means} |")
    head = [
        "# Event catalogue",
        "",
        "<!-- Made by `python3 scripts/docs.py events` from events/*.json, the templates' rules and the code. Do not edit: `docs.py check` compares. -->",
        "",
        f"The {len(events)} types of events. [events/](../events/README.md) has the schemas themselves, how to consume them and how to change one.",
        "",
        "    source        boxoffice.<context>",
        "    detail-type   the event type",
        '    detail        { "metadata": { … }, "data": { … } }',
        "",
        "| Type | Source | Aggregate | Says | Consumers |",
        "|---|---|---|---|---|",
        *index,
        "",
        "A consumer in the last column is a state machine that a rule of the bus starts, a function that empties the queue which a rule fills, or a reader of the event store's stream. Where there is none, nothing",
        "consumes the event yet; it is in the event store, and in the bus archive where there is one. `relay-events` hands every event to the bus.",
        "",
        "## Metadata",
        "",
        "The same of every type.",
        "",
        "| Field of `metadata` | Type | |",
        "|---|---|---|",
        *metadata,
        "",
    ]
    return "\n".join(head) + "\n" + "\n\n".join(parts) + "\n"


# The parameters of a deployment.


def parameters(root):
    """The tables of docs/deploying.md: every parameter of the template in its group."""
    document = template(root)
    declared = document["Parameters"]
    interface = ((document.get("Metadata") or {}).get("AWS::CloudFormation::Interface") or {}).get("ParameterGroups") or []
    groups = [(group["Label"]["default"], group["Parameters"]) for group in interface]
    named = {name for _, names in groups for name in names}
    if unknown := sorted(named - set(declared)):
        raise Missing(f"the template groups parameters that it does not declare: {', '.join(unknown)}")
    if rest := [name for name in declared if name not in named]:
        groups.append(("The rest", rest))
    lines = []
    for label, names in groups:
        lines += [f"**{label}**", "", "| Parameter | Default | May be | Means |", "|---|---|---|---|"]
        for name in names:
            it = declared[name]
            default = "required" if "Default" not in it else f"`{it['Default']}`" if it["Default"] != "" else "empty"
            meaning = _prose(it.get("Description", ""))
            lines.append(f"| `{name}` | {default} | {_allowed(it)} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _prose(text):
    """Text for a cell of a table: what would be markup outside code is escaped."""
    parts = str(text).strip().replace("|", "\\|").split("`")
    return "`".join(part if number % 2 else part.replace("<", "\\<") for number, part in enumerate(parts))


def _allowed(parameter):
    if "AllowedValues" in parameter:
        return ", ".join(f"`{value}`" for value in parameter["AllowedValues"])
    if "MinValue" in parameter or "MaxValue" in parameter:
        least, most = parameter.get("MinValue"), parameter.get("MaxValue")
        return f"{least} to {most}" if most is not None else f"{least} or more"
    if str(parameter["Type"]).startswith("AWS::SSM::Parameter"):
        return "the name of an SSM parameter"
    pattern = parameter.get("AllowedPattern")
    return f"`{pattern}`".replace("|", "\\|") if pattern else "any text"


def with_parameters(page, table):
    """The page with its tables replaced by this."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Missing(f"{DEPLOYING} has no place for the parameters: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"
