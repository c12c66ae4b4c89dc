"""What must hold of the templates, beyond what cfn-lint knows. Each rule is a function of the whole application; what it returns are complaints, and none is
good. `test_rules.py` runs them all, and shows of each that it notices when it is broken.
"""

import json
import re
from collections.abc import Callable

from policies import differences, granted, listed_grants, managed, own_environment, statements
from templates import ROOT, App, branches, chosen, listed, said

Rule = Callable[[App], list[str]]
RULES: list[Rule] = []

# What API Gateway waits for an answer.
GATEWAY_SECONDS = 29


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


@rule
def every_function_traces_and_logs_json(app: App) -> list[str]:
    found = []
    for name, function in app.functions().items():
        properties = function["Properties"]
        if properties.get("TracingConfig", {}).get("Mode") != "Active":
            found.append(f"{name}: tracing is off")
        if properties.get("LoggingConfig", {}).get("LogFormat") != "JSON":
            found.append(f"{name}: it does not log JSON")
    return found


@rule
def every_function_has_a_log_group_that_forgets(app: App) -> list[str]:
    found = []
    groups = app.resources("AWS::Logs::LogGroup")
    for name, function in app.functions().items():
        group = branches(function["Properties"].get("LoggingConfig", {}).get("LogGroup", {"Ref": "AWS::NoValue"}))
        if not group or any(reference(it) not in groups for it in group):
            found.append(f"{name}: its log group is Lambda's own, which nobody empties")
    return found + [f"{name}: it keeps logs for good" for name, group in groups.items() if not group["Properties"].get("RetentionInDays")]


@rule
def every_function_has_memory_and_a_time_limit(app: App) -> list[str]:
    found = []
    called = called_by_api(app)
    for name, function in app.functions().items():
        memory, seconds = (function["Properties"].get(setting) for setting in ("MemorySize", "Timeout"))
        if not memory or not seconds:
            found.append(f"{name}: memory or time limit is Lambda's default")
        elif name in called and seconds > GATEWAY_SECONDS:
            found.append(f"{name}: runs for {seconds} s, but its caller hears nothing after {GATEWAY_SECONDS} s")
    return found


@rule
def a_step_ends_before_its_machine_gives_it_up(app: App) -> list[str]:
    found = []
    functions = {resource: function for resource, function in app.resources("AWS::Lambda::Function").items()}
    for machine in app.machines().values():
        for resource, state, task in tasks(app, machine):
            limit = task.get("TimeoutSeconds")
            # Of a state that waits for a token, the limit is the wait's.
            if "waitForTaskToken" in task["Resource"] or resource not in functions:
                continue
            seconds = functions[resource]["Properties"].get("Timeout", 3)
            if limit is None or seconds >= limit:
                found.append(f"{state}: {resource} may run for {seconds} s, and the machine waits for {limit}")
    return found


@rule
def whoever_uses_read_models_ends_before_old_ones_are_swept(app: App) -> list[str]:
    grace = int(re.search(r"GRACE_SECONDS: u32 = (\d+)", (ROOT / "functions/reporting/src/store.rs").read_text())[1])
    users = [name for name, may in granted(app).items() if "dynamodb:GetItem" in may.get("ViewsTable", [])]
    if not users:
        return ["nobody may read ViewsTable: this rule looks at nothing"]
    limits = {name: app.functions()[name]["Properties"].get("Timeout", 3) for name in users}
    return [f"{name}: runs for {seconds} s, and what it may be at work with is swept after {grace} s" for name, seconds in limits.items() if seconds >= grace]


@rule
def every_failure_goes_somewhere(app: App) -> list[str]:
    """To the caller who waits, to the machine whose task it is, to a queue, or it is listed with a reason."""
    found = []
    heard = called_by_api(app) | called_by_machines(app)
    invoked = {reference(it["Properties"]["FunctionName"]): it for it in app.resources("AWS::Lambda::EventInvokeConfig").values()}
    streams = {}
    for mapping in app.resources("AWS::Lambda::EventSourceMapping").values():
        streams.setdefault(reference(mapping["Properties"]["FunctionName"]), []).append(mapping)
    scheduled = {
        reference(target["Arn"]) for it in app.resources("AWS::Events::Rule").values() for target in it["Properties"]["Targets"]
    }
    reasons = app.lists["without failure destination"]
    names = {resource: name for name, function in app.functions().items() for resource, it in app.resources("AWS::Lambda::Function").items() if it is function}
    for resource, name in names.items():
        caught = lambda it: bool(it["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
        if resource in streams:
            found += [f"{name}: what its stream gives up is lost" for it in streams[resource] if not caught(it)]
        if resource in scheduled or resource in invoked:
            if resource not in invoked or not caught(invoked[resource]):
                found.append(f"{name}: it is invoked without waiting, and what fails for good is lost")
        if resource not in streams and resource not in scheduled and resource not in invoked and name not in heard and not reasons.get(name):
            found.append(f"{name}: nobody hears of a failure, and infra/policies.yaml has no reason for it")
    found += [f"{name}: listed without a failure destination, but there is no need" for name in reasons if name not in names.values() or name in heard]
    return found


@rule
def every_function_sees_the_environment_on_the_list(app: App) -> list[str]:
    found = []
    everybody = set(app.main["Globals"]["Function"]["Environment"]["Variables"])
    reviewed = set(app.lists["environment of all"])
    found += [f"every function: {name} (not in infra/policies.yaml)" for name in sorted(everybody - reviewed)]
    found += [f"every function: {name} (not in template.yaml)" for name in sorted(reviewed - everybody)]
    for name, function in app.functions().items():
        sees, may_see = own_environment(app, function), sorted((app.lists["functions"].get(name) or {}).get("environment", []))
        if sees != may_see:
            found.append(f"{name}: sees {sees}, and infra/policies.yaml has {may_see}")
    return found


@rule
def every_policy_is_on_the_list(app: App) -> list[str]:
    return differences(granted(app), listed_grants(app))


@rule
def no_action_has_a_star(app: App) -> list[str]:
    return [
        f"{name}: {action}"
        for name, role in app.resources("AWS::IAM::Role").items() for statement in statements(role["Properties"])
        for action in listed(statement.get("Action", "*")) if "*" in action
    ]


@rule
def every_star_in_a_resource_has_a_reason(app: App) -> list[str]:
    reasons = {(name, target) for name, targets in app.lists["wildcards"].items() for target, reason in targets.items() if reason}
    stars = {(name, target) for name, may in granted(app).items() for target in may if "*" in target}
    return [f"{name}: {target} (without a reason in infra/policies.yaml)" for name, target in sorted(stars - reasons)] + [
        f"{name}: {target} (infra/policies.yaml has a reason for what is not there)" for name, target in sorted(reasons - stars)
    ]


@rule
def only_listed_managed_policies(app: App) -> list[str]:
    found = []
    everybody = {**{name: "function" for name in app.functions()}, **{name: "state machine" for name in app.machines()}}
    for name, has in managed(app).items():
        for policy in has:
            who = app.lists["managed policies"].get(policy, {}).get("who", [])
            if name not in who and f"every {everybody[name]}" not in who and who != "every function and state machine":
                found.append(f"{name}: {policy}")
    return found


@rule
def every_queue_is_encrypted_and_keeps_for_14_days(app: App) -> list[str]:
    found = []
    for name, queue in app.nested_resources("AWS::SQS::Queue").items():
        properties = queue.get("Properties", {})
        if properties.get("SqsManagedSseEnabled") is not True and not properties.get("KmsMasterKeyId"):
            found.append(f"{name}: it is not encrypted")
        if properties.get("MessageRetentionPeriod") != 14 * 86400:
            found.append(f"{name}: an operator has less than 14 days")
    return found


@rule
def every_topic_is_encrypted(app: App) -> list[str]:
    topics = {**app.resources("AWS::SNS::Topic"), **app.nested_resources("AWS::SNS::Topic")}
    return [f"{name}: it is not encrypted" for name, topic in topics.items() if not topic.get("Properties", {}).get("KmsMasterKeyId")]


@rule
def a_queue_takes_messages_from_our_rules_only(app: App) -> list[str]:
    found = []
    for name, policy in app.nested_resources("AWS::SQS::QueuePolicy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            whose = json.dumps(statement.get("Condition", {}))
            if statement["Principal"] != {"Service": "events.amazonaws.com"} or "aws:SourceArn" not in whose or "${AWS::AccountId}" not in whose:
                found.append(f"{name}: it takes messages from others than this account's rules")
    return found


@rule
def every_queue_has_an_alarm(app: App) -> list[str]:
    """Whatever is in one of our queues waits for a person."""
    watched = set()
    given = app.main["Resources"]["Alarms"]["Properties"]["Parameters"]
    for alarm in app.nested_resources("AWS::CloudWatch::Alarm").values():
        for dimension in alarm["Properties"].get("Dimensions", []):
            if dimension["Name"] == "QueueName" and alarm["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible":
                parameter = dimension["Value"].get("Ref")
                # `!GetAtt Messaging.Outputs.RelayDeadLetterQueueName` is the output of that name, which is of the queue of that name.
                output = given.get(parameter, {}).get("Fn::GetAtt", ["", ""])[1].removeprefix("Outputs.")
                value = app.nested["messaging"]["Outputs"].get(output, {}).get("Value", {})
                watched.add(value.get("Fn::GetAtt", [""])[0])
    return [f"{name}: no alarm" for name in app.nested_resources("AWS::SQS::Queue") if name not in watched]


@rule
def every_table_is_encrypted_and_paid_by_use(app: App) -> list[str]:
    found = []
    for name, table in app.nested_resources("AWS::DynamoDB::Table").items():
        properties = table["Properties"]
        if properties.get("SSESpecification") != {"SSEEnabled": True}:
            found.append(f"{name}: it is not encrypted with a key that the account can see")
        if properties.get("BillingMode") != "PAY_PER_REQUEST":
            found.append(f"{name}: it costs while nothing sells")
    return found


@rule
def every_table_of_value_can_be_recovered_and_is_kept(app: App) -> list[str]:
    found = []
    for name, table in app.nested_resources("AWS::DynamoDB::Table").items():
        def kept(value, keep: bool = True):
            return chosen(value, {"Kept": keep})

        recovery = table["Properties"].get("PointInTimeRecoverySpecification", {})
        if kept(recovery.get("PointInTimeRecoveryEnabled")) is not True:
            found.append(f"{name}: no point-in-time recovery")
        if kept(table["Properties"].get("DeletionProtectionEnabled")) is not True:
            found.append(f"{name}: it can be deleted by mistake")
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if kept(table.get(policy)) != "Retain":
                found.append(f"{name}: {policy} is not Retain")
            if kept(table.get(policy), keep=False) != "Delete":
                found.append(f"{name}: {policy} keeps what nobody wants to keep")
    return found


@rule
def data_is_kept_unless_it_is_said_otherwise(app: App) -> list[str]:
    found = []
    if app.main["Parameters"]["KeepData"]["Default"] != "true":
        found.append("template.yaml: who says nothing loses data")
    said_in = {name: environment["deploy"]["parameters"]["parameter_overrides"] for name, environment in app.environments.items() if name != "default"}
    if "KeepData=true" not in said_in["prod"]:
        found.append("samconfig.toml: prod does not keep its data")
    if any(parameter.startswith("KeepData=") and parameter != "KeepData=true" for parameter in said_in["prod"]):
        found.append("samconfig.toml: prod does not keep its data")
    if app.main["Resources"]["Tables"]["Properties"].get("Parameters", {}).get("KeepData") != {"Ref": "KeepData"}:
        found.append("template.yaml: the tables are not told whether to keep data")
    return found


@rule
def every_rule_target_retries_and_has_a_dead_letter_queue(app: App) -> list[str]:
    found = []
    for name, it in app.resources("AWS::Events::Rule").items():
        for target in it["Properties"]["Targets"]:
            if not target.get("DeadLetterConfig", {}).get("Arn"):
                found.append(f"{name}: no dead-letter queue")
            if not {"MaximumRetryAttempts", "MaximumEventAgeInSeconds"} <= target.get("RetryPolicy", {}).keys():
                found.append(f"{name}: retries are EventBridge's default")
    return found


@rule
def the_bus_may_write_to_each_dead_letter_queue_of_its_rules(app: App) -> list[str]:
    """Without a policy of its queue, a target's dead letters are lost in silence."""
    queues = {
        said(target["DeadLetterConfig"]["Arn"])
        for it in app.resources("AWS::Events::Rule").values() for target in it["Properties"]["Targets"] if target.get("DeadLetterConfig")
    }
    allowed = {
        reference(queue) for policy in app.nested_resources("AWS::SQS::QueuePolicy").values() for queue in policy["Properties"]["Queues"]
    }
    return [f"{queue}: EventBridge may not write to it" for queue in sorted(queues - allowed)]


@rule
def every_machine_traces(app: App) -> list[str]:
    return [
        f"{name}: tracing is off" for name, machine in app.machines().items()
        if machine["Properties"].get("TracingConfiguration", {}).get("Enabled") is not True
    ]


@rule
def the_api_traces_and_throttles(app: App) -> list[str]:
    found = []
    for name, stage in app.resources("AWS::ApiGateway::Stage").items():
        if stage["Properties"].get("TracingEnabled") is not True:
            found.append(f"{name}: tracing is off")
        everything = [it for it in stage["Properties"].get("MethodSettings", []) if it["ResourcePath"] == "/*"]
        if not any("ThrottlingRateLimit" in it and "ThrottlingBurstLimit" in it for it in everything):
            found.append(f"{name}: no throttle for what has none of its own")
    return found


@rule
def every_alarm_names_a_runbook(app: App) -> list[str]:
    return [
        f"{name}: its description ends in no runbook that is there" for name, alarm in app.nested_resources("AWS::CloudWatch::Alarm").items()
        if runbook(alarm) not in app.runbooks
    ]


@rule
def every_runbook_is_named_by_an_alarm(app: App) -> list[str]:
    named = {runbook(alarm) for alarm in app.nested_resources("AWS::CloudWatch::Alarm").values()}
    return [f"docs/runbooks/{name}.md: no alarm names it" for name in sorted(app.runbooks - named)]


@rule
def every_alarm_tells_somebody_and_says_what_silence_means(app: App) -> list[str]:
    found = []
    for name, alarm in app.nested_resources("AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        if not all(branches(properties.get(action, {"Ref": "AWS::NoValue"})) for action in ("AlarmActions", "OKActions")):
            found.append(f"{name}: nobody is told when it goes on and off")
        # No data is no alarm: nothing runs while nothing sells.
        if properties.get("TreatMissingData") not in ("notBreaching", "ignore"):
            found.append(f"{name}: silence would be an alarm")
    return found


@rule
def a_slow_saga_is_slower_than_its_hold_and_its_retries(app: App) -> list[str]:
    """CloudFormation cannot add, so the sum is a parameter of its own."""
    parameters = app.main["Parameters"]
    seconds = parameters["HoldSeconds"]["Default"]
    for _, state, task in tasks(app, app.machines()["booking-saga"]):
        # A first step that cannot be taken, and a last one: then nothing else was tried.
        if state not in ("Claim Saga", "Record Stuck Booking"):
            seconds += max(waits(retry) for retry in task["Retry"])
    most = parameters["SlowSagaMilliseconds"]["Default"] / 1000
    return [] if most > seconds else [f"SlowSagaMilliseconds: {most} s, and a saga may wait for {seconds} s"]


@rule
def every_metric_of_ours_is_written_explained_and_shown(app: App) -> list[str]:
    """The names that programs write, LOGGING explains, the dashboards show and alarms watch are the same names."""
    written, explained = app.metrics
    found = [f"{name}: docs/LOGGING.md does not explain it" for name in sorted(written - explained)]
    found += [f"{name}: no program writes it" for name in sorted(explained - written)]
    for where, named in shown(app).items():
        found += [f"{name}: {where} does not show it" for name in sorted(explained - named) if where != "an alarm"]
        found += [f"{name}: {where} names what no program writes" for name in sorted(named - written)]
    return found


def shown(app: App) -> dict[str, set[str]]:
    """The metrics of ours that each place names."""
    bodies = " ".join(dashboard_bodies(app).values())
    alarms = [it["Properties"] for it in app.nested_resources("AWS::CloudWatch::Alarm").values()]
    return {
        "infra/dashboard.yaml": set(re.findall(r'"BoxOffice", "(\w+)"', full(bodies)) + re.findall(r'\{BoxOffice,[^}]*\} MetricName=\\"(\w+)', bodies)),
        "infra/grafana/dashboard.json": {
            target["metricName"] for panel in app.grafana["panels"] for target in panel.get("targets", []) if target.get("namespace") == "BoxOffice"
        },
        "infra/grafana/yace.yml": {metric["name"] for job in app.yace["customNamespace"] for metric in job["metrics"]},
        "an alarm": {it["MetricName"] for it in alarms if it["Namespace"] == "BoxOffice"},
    }


def full(body: str) -> str:
    """Rows that begin with "." have the namespace of the row before."""
    lines, namespace = [], ""
    for line in body.splitlines():
        row = re.match(r'(\s*\[)"([\w/]+|\.)", "(\w+)"', line)
        if row:
            namespace = namespace if row.group(2) == "." else row.group(2)
            line = f'["{namespace}", "{row.group(3)}"'
        lines.append(line)
    return "\n".join(lines)


def dashboard_bodies(app: App) -> dict[str, str]:
    """The dashboard with and without what is read from logs, every name filled in."""
    text, names = app.nested["dashboard"]["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    _, with_logs, without = names["FromLogs"]["Fn::If"]
    bodies = {"with logs": text.replace("${FromLogs}", with_logs["Fn::Sub"]), "without logs": text.replace("${FromLogs}", without)}
    return {which: re.sub(r"\$\{([\w:]+)\}", r"\1", body).replace("${!", "${") for which, body in bodies.items()}


@rule
def the_dashboard_is_json_and_its_widgets_do_not_overlap(app: App) -> list[str]:
    found = []
    for which, body in dashboard_bodies(app).items():
        try:
            widgets = json.loads(body)["widgets"]
        except ValueError as error:
            found.append(f"{which}: {error}")
            continue
        taken: dict[tuple[int, int], str] = {}
        for widget in widgets:
            title = widget["properties"].get("title") or widget["properties"]["markdown"][:20]
            for x in range(widget["x"], widget["x"] + widget["width"]):
                for y in range(widget["y"], widget["y"] + widget["height"]):
                    other = taken.setdefault((x, y), title)
                    if other != title or x >= 24:
                        found.append(f"{which}: {title} is over {other}")
    return sorted(set(found))


def waits(retry: dict) -> float:
    """How long the pauses of a retrier are together, at most."""
    pause, total = retry.get("IntervalSeconds", 1), 0
    for _ in range(retry.get("MaxAttempts", 3)):
        total += min(pause, retry.get("MaxDelaySeconds", pause))
        pause *= retry.get("BackoffRate", 2)
    return total


def runbook(alarm: dict) -> str:
    description = alarm["Properties"].get("AlarmDescription", "")
    text = description.get("Fn::Sub", "") if isinstance(description, dict) else description
    found = re.search(r"\$\{Runbooks\}/([a-z-]+)\.md$", text)
    return found.group(1) if found else ""


def reference(value) -> str:
    """The resource that a `!Ref` or `!GetAtt` is about."""
    return value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]


def called_by_api(app: App) -> set[str]:
    return {
        name for name, function in app.main_functions().items()
        if any(event["Type"] == "Api" for event in function.get("Events", {}).values())
    }


def called_by_machines(app: App) -> set[str]:
    return {
        name for machine in app.machines().values() for resource, _, _ in tasks(app, machine)
        for name, function in app.functions().items() if app.resources("AWS::Lambda::Function").get(resource) is function
    }


def tasks(app: App, machine: dict) -> list[tuple[str, str, dict]]:
    """A machine's tasks that call a function: the function's resource, the state's name, the state."""
    source = next(
        it["Properties"] for it in app.main["Resources"].values()
        if it["Type"] == "AWS::Serverless::StateMachine" and it["Properties"]["Name"] == machine["Properties"]["StateMachineName"]
    )
    definition = json.loads(re.sub(r'(?<!")\$\{\w+\}(?!")', "60", (ROOT / source["DefinitionUri"]).read_text()))
    found = []
    for state, it in definition["States"].items():
        for name in re.findall(r"\$\{(\w+FunctionArn)\}", json.dumps(it)) if it["Type"] == "Task" else []:
            found.append((reference(source["DefinitionSubstitutions"][name]), state, it))
    return found
