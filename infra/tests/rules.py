"""The rules for the templates, beyond those of cfn-lint. Each rule is a function of the whole application and returns complaints; it holds if there are none.
`test_rules.py` runs them all, and breaks each one to show that it complains.
"""

import json
import re
from collections.abc import Callable

from policies import differences, granted, listed_grants, managed, own_environment, statements
from templates import ROOT, App, branches, chosen, listed, said, short_name

Rule = Callable[[App], list[str]]
RULES: list[Rule] = []

# API Gateway waits at most this long for an answer.
GATEWAY_SECONDS = 29
# As `docs/deploying.md` says: with a longer stack name, the longest function name would exceed Lambda's limit.
LONGEST_STACK_NAME = 35
# The property that names a resource of each type, and AWS's limit on its length.
LONGEST_NAMES = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::Events::Archive": ("ArchiveName", 48),
}
# Types that must be given a name, because the generated one would be too long.
NAMED = {"AWS::Events::Archive"}
# Routes of which each call costs more than others: a password's hash, or calls of control planes.
DEAR = (
    "/~1users", "/~1users~1register", "/~1users~1login", "/~1users~1password-reset", "/~1users~1password-reset~1confirm", "/~1shop~1account",
    "/~1shop~1session", "/~1shop~1password", "/~1shop~1password~1reset", "/~1health",
)
# Those of them that are asked for, and not sent anything.
GOTTEN = {"/~1health"}
# The functions of the API whose handlers a page calls in process: it needs their tables and actions, and no others.
BEHIND_PAGES = {
    "show-shop": ("list-available-inventory", "get-inventory"),
    "show-order": ("get-inventory", "get-ticket", "list-tickets-by-user", "get-payment", "get-me"),
    "submit-order": ("create-ticket", "process-payment", "request-cancellation", "get-ticket", "get-inventory"),
    "admit-buyer": ("login", "create-user", "refresh-session", "logout", "request-email-verification"),
    "secure-account": ("get-me", "request-email-verification", "verify-email", "request-password-reset", "reset-password", "change-second-factor"),
}
# Refusals of the gateway with a status other than 400.
OWN_STATUS = {
    "ACCESS_DENIED", "INVALID_API_KEY", "MISSING_AUTHENTICATION_TOKEN", "QUOTA_EXCEEDED", "REQUEST_TOO_LARGE", "THROTTLED", "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
}
# Rates that all of an account's applications share, and by which a sale is slowed down: the namespace, the metric, and the dimension that is not ours.
RATES = [
    ("AWS/Lambda", "Throttles"),
    ("AWS/States", "ThrottledEvents", "StateTransition"),
    ("AWS/States", "ThrottledEvents", "StartExecution"),
    ("AWS/Events", "ThrottledRules"),
]
# The variables that the access log may use (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html).
# No path, query, key or identity: they contain ids and names of people. No error message either: API Gateway does not quote it, and it would break the line.
LOGGED = {
    "$context." + name for name in (
        "requestId", "extendedRequestId", "requestTime", "identity.sourceIp", "httpMethod", "resourcePath", "protocol", "status", "responseLength",
        "responseLatency", "integrationLatency", "error.responseType", "waf.status",
    )
}
# Incidents of the security log that an operator wants to hear of at once.
ALARMING = {"SourceLockedOut", "RefreshTokenReused", "SecondFactorGuarded", "RoleChanged"}
# Parameters that close something, with the value that does.
CLOSED = {"AccessLogs": "true", "AllowedOrigin": "none", "KeepData": "true", "RateLimitByAddress": "true", "RequireSecondFactor": "true", "SetAlarms": "true"}
# Parameters of CLOSED that take a value of the deployer's own, and the only value that opens something.
CHOSEN, OPEN = {"AllowedOrigin"}, "*"
# CloudFormation's limits of one template (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html); its body in S3 has at
# most 1 MB.
MOST_IN_A_TEMPLATE = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
LARGEST_TEMPLATE = 1_000_000
# API Gateway's quota of resources in a REST API: each part of a path is one
# (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html).
MOST_API_RESOURCES = 300
# AWS WAF's quota of headers in a custom response (https://docs.aws.amazon.com/waf/latest/developerguide/limits.html).
MOST_FIREWALL_HEADERS = 10
# The generated resources that SAM lets a template refer to as if they were attributes.
SAM_PROPERTIES = {"Alias", "ApiKey", "Deployment", "DestinationQueue", "DestinationTopic", "DomainName", "Stage", "UsagePlan", "UsagePlanKey", "Version"}


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
            # A state that waits for a task token has the limit of its wait, not of its function.
            if "waitForTaskToken" in task["Resource"] or resource not in functions:
                continue
            seconds = functions[resource]["Properties"].get("Timeout", 3)
            if limit is None or seconds >= limit:
                found.append(f"{state}: {resource} may run for {seconds} s, and the machine waits for {limit}")
    return found


@rule
def functions_that_use_read_models_end_before_a_sweep(app: App) -> list[str]:
    grace = int(re.search(r"GRACE_SECONDS: u32 = (\d+)", (ROOT / "functions/reporting/src/store.rs").read_text())[1])
    readers = {name for name, may in granted(app).items() if "dynamodb:GetItem" in may.get("ViewsTable", [])}
    # It asks for the epoch with each booking (AP-564), and is at work with it for one read.
    users = sorted(readers - {"reconcile"})
    if not users:
        return ["nobody may read ViewsTable: this rule looks at nothing"]
    limits = {name: app.functions()[name]["Properties"].get("Timeout", 3) for name in users}
    return [f"{name}: runs for {seconds} s, and what it may be at work with is swept after {grace} s" for name, seconds in limits.items() if seconds >= grace]


@rule
def every_failure_goes_somewhere(app: App) -> list[str]:
    """A failure reaches the waiting caller, the machine whose task failed, or a queue; any other function is listed with a reason."""
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
        caught = lambda it: bool(it["Properties"].get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")) or gives_up_to_a_queue(app, it)
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
def a_page_may_do_what_the_calls_behind_it_may(app: App) -> list[str]:
    """An emulator enforces no policy, so that a handler that asks for a new action would fail behind a page on AWS alone."""
    grants, found = granted(app), []
    for page, calls in BEHIND_PAGES.items():
        needed: dict[str, set[str]] = {}
        for target, actions in (entry for call in calls for entry in grants[call].items()):
            needed.setdefault(target, set()).update(actions)
        has = {target: set(actions) for target, actions in grants[page].items()}
        for target in sorted(needed.keys() | has.keys()):
            found += [f"{page}: may not {action} on {target}, which a call behind it does" for action in sorted(needed.get(target, set()) - has.get(target, set()))]
            found += [f"{page}: may {action} on {target}, which no call behind it does" for action in sorted(has.get(target, set()) - needed.get(target, set()))]
        functions = app.functions()
        variables = {name for call in calls for name in own_environment(app, functions[call])}
        found += [f"{page}: does not see {name}" for name in sorted(variables - set(own_environment(app, functions[page])))]
    return found


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


def gives_up_to_a_queue(app: App, mapping: dict) -> bool:
    """Whether a function reads a queue that has a dead-letter queue of its own."""
    queue = app.nested_resources("AWS::SQS::Queue").get(said(mapping["Properties"].get("EventSourceArn")), {})
    return "deadLetterTargetArn" in queue.get("Properties", {}).get("RedrivePolicy", {})


def emptied_queues(app: App) -> dict[str, dict]:
    """The queues that a function empties, and how."""
    queues = app.nested_resources("AWS::SQS::Queue")
    mappings = {said(it["Properties"].get("EventSourceArn")): it["Properties"] for it in app.resources("AWS::Lambda::EventSourceMapping").values()}
    return {name: mapping for name, mapping in mappings.items() if name in queues}


@rule
def a_queue_that_a_function_empties_is_patient_and_limited(app: App) -> list[str]:
    """AWS advises six times the function's timeout. A message that fails must not take the others of its batch along, and what fails for good must go on."""
    found = []
    functions = app.resources("AWS::Lambda::Function")
    for name, mapping in emptied_queues(app).items():
        queue = app.nested_resources("AWS::SQS::Queue")[name]["Properties"]
        seconds = functions[reference(mapping["FunctionName"])]["Properties"].get("Timeout", 3)
        if queue.get("VisibilityTimeout", 30) < 6 * seconds:
            found.append(f"{name}: a message shows again within six times the {seconds} s that its function may take")
        if "deadLetterTargetArn" not in queue.get("RedrivePolicy", {}):
            found.append(f"{name}: what fails for good is lost")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            found.append(f"{name}: a message that fails takes its batch along")
        if not mapping.get("ScalingConfig"):
            found.append(f"{name}: nothing limits how fast it is emptied")
    return found


@rule
def every_queue_has_an_alarm(app: App) -> list[str]:
    """A message in one of our queues waits for a person, unless a function empties that queue."""
    watched = set()
    given = app.main["Resources"]["Alarms"]["Properties"]["Parameters"]
    for alarm in app.nested_resources("AWS::CloudWatch::Alarm").values():
        for dimension in alarm["Properties"].get("Dimensions", []):
            if dimension["Name"] == "QueueName" and alarm["Properties"]["MetricName"] == "ApproximateNumberOfMessagesVisible":
                parameter = dimension["Value"].get("Ref")
                # `!GetAtt Messaging.Outputs.RelayDeadLetterQueueName` is an output of the nested template, whose value refers to the queue.
                output = given.get(parameter, {}).get("Fn::GetAtt", ["", ""])[1].removeprefix("Outputs.")
                value = app.nested["messaging"]["Outputs"].get(output, {}).get("Value", {})
                watched.add(value.get("Fn::GetAtt", [""])[0])
    return [f"{name}: no alarm" for name in app.nested_resources("AWS::SQS::Queue") if name not in watched and name not in emptied_queues(app)]


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
def the_bus_may_write_to_each_queue_of_its_rules(app: App) -> list[str]:
    """Without a policy on the queue, a message that a rule sends there is lost in silence."""
    targets = [target for it in app.resources("AWS::Events::Rule").values() for target in it["Properties"]["Targets"]]
    queues = {said(target["DeadLetterConfig"]["Arn"]) for target in targets if target.get("DeadLetterConfig")}
    queues |= {said(target["Arn"]) for target in targets} & app.nested_resources("AWS::SQS::Queue").keys()
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
def the_api_throttles_and_keeps_paths_out_of_traces(app: App) -> list[str]:
    found = []
    for name, stage in app.resources("AWS::ApiGateway::Stage").items():
        if stage["Properties"].get("TracingEnabled"):
            found.append(f"{name}: traces keep paths, with mail addresses in them")
        everything = [it for it in stage["Properties"].get("MethodSettings", []) if it["ResourcePath"] == "/*"]
        if not any("ThrottlingRateLimit" in it and "ThrottlingBurstLimit" in it for it in everything):
            found.append(f"{name}: no throttle for what has none of its own")
        own = {it["ResourcePath"] for it in stage["Properties"].get("MethodSettings", []) if "ThrottlingRateLimit" in it}
        found += [f"{path}: no throttle of its own" for path in DEAR if path not in own]
    strict = [it for it in app.nested["firewall"]["Resources"]["WebAcl"]["Properties"]["Rules"] if "RegexString" in json.dumps(it)]
    patterns = re.findall(r'"RegexString": "([^"]*)"', json.dumps(strict))
    posts = [path.replace("~1", "/") for path in DEAR if path not in GOTTEN]
    found += [f"firewall: no strict limit for POST {path}" for path in posts if not any(re.search(it, path) for it in patterns)]
    return found


@rule
def the_api_has_no_detailed_metrics(app: App) -> list[str]:
    """They are billed for each method. Alarms and dashboards read those of the whole API."""
    return [
        f"{it['ResourcePath']}: detailed metrics, which nothing reads"
        for stage in app.resources("AWS::ApiGateway::Stage").values() for it in stage["Properties"].get("MethodSettings", []) if it.get("MetricsEnabled")
    ]


@rule
def every_name_fits_whatever_the_stack_is_called(app: App) -> list[str]:
    found = []
    for kind, (name_property, most) in LONGEST_NAMES.items():
        for resource, it in {**app.resources(kind), **app.nested_resources(kind)}.items():
            name = it["Properties"].get(name_property)
            if name is None:
                # CloudFormation would put the nested stack's name, its own suffix and the resource's into it.
                found += [f"{resource}: its name is generated, from names that are too long together"] if kind in NAMED else []
                continue
            length = len(re.sub(r"\$\{(AWS::StackName|Stack)\}", "s" * LONGEST_STACK_NAME, name["Fn::Sub"]))
            if length > most:
                found.append(f"{resource}: its name may be {length} long, and AWS takes {most}")
    return found


@rule
def a_browser_may_read_what_the_gateway_answers(app: App) -> list[str]:
    """Without these headers a page of another origin sees a refusal of the gateway as a broken network, and cannot know to wait."""
    found = []
    for kind, response in app.main["Resources"]["Api"]["Properties"]["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        if branches(headers.get("Access-Control-Allow-Origin", {"Ref": "AWS::NoValue"})) != [{"Fn::Sub": "'${AllowedOrigin}'"}]:
            found.append(f"{kind}: no Access-Control-Allow-Origin")
        if branches(headers.get("Access-Control-Expose-Headers", {"Ref": "AWS::NoValue"})) != ["'Retry-After'"]:
            found.append(f"{kind}: Retry-After is not exposed")
        if response.get("StatusCode") in ("429", "503") and kind != "QUOTA_EXCEEDED" and "Retry-After" not in headers:
            found.append(f"{kind}: no Retry-After")
    return found


@rule
def an_answer_from_before_the_functions_keeps_browsers_safe(app: App) -> list[str]:
    """A browser remembers TLS from any answer, a refusal of the gateway or the firewall among them. Their headers are those of the functions."""
    headers = re.search(r"const HEADERS: .*?= \[(.*?)\];", (ROOT / "shared/runtime/src/http.rs").read_text(), re.DOTALL)
    wanted = {name.lower(): value for name, value in re.findall(r'\("([\w-]+)", "([^"]+)"\)', headers[1])}
    if "strict-transport-security" not in wanted:
        return ["shared/runtime/src/http.rs: the headers of every answer are not where this rule looks"]
    found = []
    for kind, response in app.main["Resources"]["Api"]["Properties"]["GatewayResponses"].items():
        has = {name.lower(): value for name, value in response["ResponseParameters"]["Headers"].items()}
        # The gateway ends a static value at its next quote, and a content security policy has some.
        found += [f"{kind}: {name} is not {value}" for name, value in wanted.items() if "'" not in value and has.get(name) != f"'{value}'"]
    for it in app.nested["firewall"]["Resources"]["WebAcl"]["Properties"]["Rules"]:
        headers = [header for given in it["Action"]["Block"]["CustomResponse"]["ResponseHeaders"] for header in branches(given)]
        has = {header["Name"].lower(): header["Value"] for header in headers}
        found += [f"firewall, {it['Name']}: {name} is not {value}" for name, value in wanted.items() if has.get(name) != value]
        if len(headers) > MOST_FIREWALL_HEADERS:
            found.append(f"firewall, {it['Name']}: {len(headers)} headers, and AWS WAF takes {MOST_FIREWALL_HEADERS}")
    return found


@rule
def a_gateway_answer_has_the_status_that_it_says(app: App) -> list[str]:
    answers = app.main["Resources"]["Api"]["Properties"]["GatewayResponses"]
    found = [f"{kind}: not listed, and DEFAULT_4XX does not know its status" for kind in sorted(OWN_STATUS - answers.keys())]
    for kind, response in answers.items():
        body = response["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '""')
        status, says = response.get("StatusCode"), json.loads(body).get("status")
        if kind == "DEFAULT_4XX" and (status or says):
            found.append(f"{kind}: its status replaces that of every other type")
        elif kind != "DEFAULT_4XX" and status != str(says):
            found.append(f"{kind}: answers {status}, and its body says {says}")
    return found


@rule
def requests_and_express_executions_are_logged(app: App) -> list[str]:
    found = [
        f"{name.removesuffix('Stage')}: no access log" for name, stage in app.resources("AWS::ApiGateway::Stage").items()
        if not branches(stage["Properties"].get("AccessLogSetting", {"Ref": "AWS::NoValue"}))
    ]
    for name, machine in app.machines().items():
        if machine["Properties"].get("StateMachineType") != "EXPRESS":
            continue
        logs = branches(machine["Properties"].get("LoggingConfiguration", {"Ref": "AWS::NoValue"}))
        if not any(log.get("Level") in ("ERROR", "ALL") for log in logs):
            found.append(f"{name}: an express execution that fails leaves nothing")
        if any(log.get("IncludeExecutionData") is not False for log in logs):
            found.append(f"{name}: its log has what messages are about, and so people's names and addresses")
    return found


@rule
def an_access_log_line_says_how_a_request_went_and_nothing_of_its_caller_but_the_address(app: App) -> list[str]:
    found = []
    groups = app.main["Resources"]
    for setting in branches(app.main["Resources"]["Api"]["Properties"].get("AccessLogSetting", {"Ref": "AWS::NoValue"})):
        group = reference(setting["DestinationArn"])
        if not groups.get(group, {}).get("Properties", {}).get("RetentionInDays"):
            found.append(f"{group}: no log group of the template that forgets")
        elif groups[group].get("Condition") != app.main["Resources"]["Api"]["Properties"]["AccessLogSetting"]["Fn::If"][0]:
            found.append(f"{group}: it is there on another condition than the setting that needs it")
        try:
            line = json.loads(setting["Format"])
        except ValueError:
            found.append("the access log's format is no JSON")
            continue
        # API Gateway refuses a format without one of the two ids.
        if not {"$context.requestId", "$context.extendedRequestId"} & set(line.values()):
            found.append("the access log's format has no request id, and API Gateway refuses it")
        found += [f"{name}: {value} is not among what an access log may have" for name, value in line.items() if value not in LOGGED]
    return found


@rule
def an_index_is_only_queried(app: App) -> list[str]:
    return [
        f"{name}: {action} on {target}, which is for tables only"
        for name, may in granted(app).items() for target, actions in may.items() if "/index/" in target
        for action in actions if action not in ("dynamodb:Query", "dynamodb:Scan")
    ]


@rule
def what_acts_on_an_index_has_a_reason(app: App) -> list[str]:
    """An index is eventually consistent. A list shows that, and the next look corrects it; a function that writes after such a read, or answers another function,
    has acted by then."""
    grants, reasons = granted(app), app.lists["acts on an index"]
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    asked = {target.removeprefix("function:${AWS::StackName}-") for may in grants.values() for target, actions in may.items() if "lambda:InvokeFunction" in actions}
    acting = {
        name for name, may in grants.items()
        if any("/index/" in target and "dynamodb:Query" in actions for target, actions in may.items())
        and (name in asked or any(writes & set(actions) for actions in may.values()))
    }
    found = [f"{name}: acts on what an index says, and infra/policies.yaml has no reason why that is right" for name in sorted(acting) if not reasons.get(name)]
    return found + [f"{name}: listed as acting on an index, and does not" for name in sorted(reasons.keys() - acting)]


@rule
def a_variable_beside_a_word_is_an_id(app: App) -> list[str]:
    """Where a path has both a word and a variable, AWS sends a method that the word does not take to the variable (docs/adr/0010-rest-api-and-refuse-route.md). There it is
    refused as no id, if the variable is one; a name could be that very word."""
    places: dict[tuple, set[str]] = {}
    for function in app.main_functions().values():
        for event in function.get("Events", {}).values():
            if event["Type"] == "Api":
                parts = event["Properties"]["Path"].strip("/").split("/")
                for length in range(1, len(parts) + 1):
                    places.setdefault(tuple(parts[: length - 1]), set()).add(parts[length - 1])
    found = []
    for above, parts in sorted(places.items()):
        # `{proxy+}` takes what nothing else does: refuse-route, and the shop's page that is not there.
        variables = [part for part in parts if part.startswith("{") and not part.endswith("+}")]
        words = sorted(part for part in parts if not part.startswith("{"))
        found += [
            f"/{'/'.join((*above, variable))}: beside {', '.join(words)} a variable must be an id" for variable in variables
            if words and not re.search(r"^\{id\}$|Id\}$", variable)
        ]
    return found


@rule
def no_function_reserves_concurrency_or_enters_a_network(app: App) -> list[str]:
    """A new account has 10 concurrent executions and must keep some unreserved, so a reservation fails the first deployment. In a network of the account's a function
    reaches neither AWS nor Stripe without a NAT gateway, which is paid by the hour, also while nothing sells."""
    unwanted = {"ReservedConcurrentExecutions": "reserves concurrency", "VpcConfig": "is in a network", "KmsKeyArn": "needs a key of the account's"}
    return [
        f"{name}: {what}" for name, function in app.functions().items() for setting, what in unwanted.items() if setting in function["Properties"]
    ]


@rule
def a_stream_reader_gives_up_by_age(app: App) -> list[str]:
    """Tries are no time: how long a thousand of them take, nobody has written down. A stream forgets after a day."""
    found = []
    for mapping in app.resources("AWS::Lambda::EventSourceMapping").values():
        properties = mapping["Properties"]
        if "StartingPosition" not in properties:
            continue
        name = short_name(app.expanded["Resources"][reference(properties["FunctionName"])]["Properties"]["FunctionName"])
        if properties.get("MaximumRetryAttempts", -1) != -1:
            found.append(f"{name}: gives up after {properties['MaximumRetryAttempts']} tries, whenever that is")
        if not 0 < properties.get("MaximumRecordAgeInSeconds", -1) < 86400:
            found.append(f"{name}: gives up what the stream has forgotten")
        # One lane is the least there is.
        if properties.get("ParallelizationFactor") not in (1, {"Ref": "StreamLanes"}):
            found.append(f"{name}: its lanes are no parameter, and a new account has ten executions for everything")
    return found


@rule
def every_rate_of_the_account_has_an_alarm(app: App) -> list[str]:
    alarms = {name: it["Properties"] for name, it in app.nested_resources("AWS::CloudWatch::Alarm").items()}
    watched = {
        (it["Namespace"], it["MetricName"], *(value["Value"] for value in it.get("Dimensions", []) if isinstance(value["Value"], str))) for it in alarms.values()
    }
    found = [f"{' '.join(rate)}: no alarm" for rate in RATES if rate not in watched]
    given = app.main["Resources"]["Alarms"]["Properties"]["Parameters"]
    rules = [it["Properties"].get("Name") for it in app.resources("AWS::Events::Rule").values()]
    for name, it in alarms.items():
        named = [value["Value"]["Ref"] for value in it.get("Dimensions", []) if value["Name"] == "RuleName"]
        found += [f"{name}: it watches no rule of the template" for parameter in named if given.get(parameter) not in rules]
    return found


@rule
def what_signs_restarts_with_its_key(app: App) -> list[str]:
    """A key is read once by each instance. A new value in a parameter of SSM changes nothing in a template, so a deployment for it alone would be empty."""
    environments = {name: it["Properties"].get("Environment", {}).get("Variables", {}) for name, it in app.functions().items()}
    signers = {name: variables for name, variables in environments.items() if "TOKEN_KEY_PARAMETER" in variables}
    if not signers:
        return ["nothing signs: this rule looks at nothing"]
    return [
        f"{name}: a deployment for a new key does not restart it"
        for name, variables in signers.items() if variables.get("TOKEN_KEY_GENERATION") != {"Ref": "KeyGeneration"}
    ]


@rule
def a_default_is_what_production_wants(app: App) -> list[str]:
    """The defaults are closed: a deployer who opens something writes it down. Production opens nothing."""
    found = []
    parameters = app.main["Parameters"]
    prod = app.environments["prod"]["deploy"]["parameters"]["parameter_overrides"]
    for name, closed in CLOSED.items():
        if parameters[name].get("Default") != closed:
            found.append(f"{name}: {closed} is production's, and not the default")
        opens = f"{name}={OPEN}" if name in CHOSEN else f"{name}="
        found += [f"samconfig.toml: prod opens {it}" for it in prod if it.startswith(opens) and it != f"{name}={closed}"]
    if "Default" in parameters["AlarmTopicArn"]:
        found.append("AlarmTopicArn: has a default, so alarms that nobody hears are deployed")
    if app.main["Resources"]["Api"]["Properties"].get("SecurityPolicy") not in ("TLS_1_2",):
        found.append("Api: TLS below 1.2")
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
            seconds += max(waits(retry, most=TRIES_AFTER_THE_HOLD) for retry in task["Retry"])
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


@rule
def every_alarm_on_an_incident_watches_one_that_programs_note(app: App) -> list[str]:
    """An alarm on a misspelled incident would never ring. An incident that by itself means that somebody has got in, or nearly, has an alarm."""
    source = (ROOT / "functions/users/src/security.rs").read_text()
    noted = set(re.findall(r'Self::(\w+) => "\1"', source))
    watched = {
        value["Value"]: name for name, it in app.nested_resources("AWS::CloudWatch::Alarm").items()
        for value in it["Properties"].get("Dimensions", []) if value["Name"] == "Incident"
    }
    found = [f"{name}: no program notes {incident}" for incident, name in watched.items() if incident not in noted]
    return found + [f"{incident}: no alarm" for incident in sorted(ALARMING - watched.keys())]


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
    return {which: re.sub(r"\$\{([\w:]+)\}", r"\1", body) for which, body in bodies.items()}


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


@rule
def every_reference_names_what_the_template_declares(app: App) -> list[str]:
    """SAM also answers `!Ref Api.Stage` and `!Ref ApiStage`, for resources that it generates. LocalStack checks references before SAM has generated any."""
    declared = app.main["Parameters"].keys() | app.main["Resources"].keys()
    found = []
    for where, node in walk({"Globals": app.main["Globals"], **app.main["Resources"]}):
        for name in sorted(referred_to(node)):
            resource, _, attribute = name.partition(".")
            generated = attribute in SAM_PROPERTIES and app.main["Resources"].get(resource, {}).get("Type", "").startswith("AWS::Serverless::")
            if not name.startswith("AWS::") and (resource not in declared or generated):
                found.append(f"{where}: {name} is not declared in template.yaml. LocalStack resolves references before SAM generates resources, and refuses the change set")
    return found


@rule
def every_definition_substitution_is_text(app: App) -> list[str]:
    """CloudFormation makes text of a number; LocalStack fails on it ("replace() argument 2 must be str, not int"), and `!Sub` does not help there."""
    numbers = {name for name, parameter in app.main["Parameters"].items() if parameter["Type"] == "Number"}
    found = []
    for machine, resource in app.main["Resources"].items():
        for name, value in resource["Properties"].get("DefinitionSubstitutions", {}).items():
            number = isinstance(value, (int, float)) or ("Fn::Join" not in value and referred_to(value) & numbers)
            if number:
                found.append(f"{machine}: {name} is a number, on which LocalStack's state machines fail. Write !Join [\"\", [...]]")
    return found


@rule
def a_nested_parameter_that_may_be_empty_has_a_default(app: App) -> list[str]:
    """LocalStack takes an empty string for no value at all, and then compares nothing with a text."""
    found = []
    for name, resource in app.main["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Application":
            continue
        template = resource["Properties"]["Location"].removeprefix("infra/").removesuffix(".yaml")
        for parameter, value in resource["Properties"].get("Parameters", {}).items():
            if may_be_empty(app, value) and "Default" not in app.nested[template]["Parameters"][parameter]:
                found.append(f"{name}: {parameter} may be empty. LocalStack counts an empty parameter without a default as missing. Give it Default: \"\"")
    return found


def may_be_empty(app: App, value) -> bool:
    for end in branches(value):
        match end:
            case "":
                return True
            case {"Ref": name} if app.main["Parameters"].get(name, {}).get("Default") == "":
                return True
    return False


@rule
def no_substitution_is_escaped(app: App) -> list[str]:
    """CloudFormation makes `${X}` of `${!X}`. LocalStack looks for a resource of the name `!X`."""
    found = []
    for template, content in {"template.yaml": app.main, **{f"infra/{name}.yaml": it for name, it in app.nested.items()}}.items():
        for where, node in walk(content["Resources"]):
            text = listed(node["Fn::Sub"])[0] if isinstance(node, dict) and "Fn::Sub" in node else ""
            found += [
                f"{template}, {where}: {escape} in !Sub, and LocalStack does not know the escape. Put the text into a variable of !Sub"
                for escape in sorted(set(re.findall(r"\$\{![^}]*\}", text)))
            ]
    return found


@rule
def every_template_fits_aws_s_limits(app: App) -> list[str]:
    found = []
    for name, template in {"template.yaml": app.expanded, **{f"infra/{name}.yaml": it for name, it in app.nested.items()}}.items():
        for section, most in MOST_IN_A_TEMPLATE.items():
            if (count := len(template.get(section, {}))) > most:
                found.append(f"{name}: {count} {section}, and a template has at most {most}")
        if (size := len(json.dumps(template, separators=(",", ":")))) > LARGEST_TEMPLATE:
            found.append(f"{name}: {size} bytes, and a template in S3 has at most {LARGEST_TEMPLATE}")
    paths = [
        event["Properties"]["Path"].strip("/").split("/") for function in app.main_functions().values()
        for event in function.get("Events", {}).values() if event["Type"] == "Api"
    ]
    resources = {tuple(path[: length + 1]) for path in paths for length in range(len(path))}
    if len(resources) > MOST_API_RESOURCES:
        found.append(f"Api: {len(resources)} resources, and a REST API has at most {MOST_API_RESOURCES}")
    return found


@rule
def the_gateway_requires_no_parameter(app: App) -> list[str]:
    """A function refuses a missing header or parameter with a code of its own, and compares a header's name without its case. The gateway does neither."""
    found = []
    for name, function in app.main["Resources"].items():
        for event, it in function["Properties"].get("Events", {}).items():
            for parameter in required_parameters(it["Properties"]):
                why = (
                    "It compares the name by case, and HTTP/2 clients send lower case, so no browser could call"
                    if parameter.startswith("method.request.header.") else "One mistake would have two codes, the gateway's and the function's"
                )
                found.append(f"{name}, {event}: the gateway requires {parameter}. {why}. Let the function require it")
    return found


def required_parameters(event: dict) -> list[str]:
    """`method.request.querystring.quantity`; SAM takes a name alone, or a name with settings."""
    named = [it if isinstance(it, dict) else {it: {}} for it in event.get("RequestParameters", [])]
    return [name for it in named for name, settings in it.items() if settings.get("Required")]


def walk(value, where: str = ""):
    """Every value inside a value, with the path to it."""
    yield where, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, child in children:
        yield from walk(child, f"{where}.{key}" if where else str(key))


def referred_to(value) -> set[str]:
    """The names that this value itself refers to, as `Resource` or `Resource.Attribute`; values inside it do not count."""
    match value:
        case {"Ref": name}:
            return {name}
        case {"Fn::GetAtt": [name, attribute]} if isinstance(attribute, str):
            return {f"{name}.{attribute}"}
        case {"Fn::Sub": [str(text), dict(variables)]}:
            return set(re.findall(r"\$\{([^!}][^}]*)\}", text)) - variables.keys()
        case {"Fn::Sub": str(text)}:
            return set(re.findall(r"\$\{([^!}][^}]*)\}", text))
    return set()


# A forward step is retried while the hold lasts, and this many times after it (`shared/runtime/src/task.rs`).
TRIES_AFTER_THE_HOLD = 10


def waits(retry: dict, most: int) -> float:
    """The longest total of a retrier's pauses, in seconds, over at most `most` retries."""
    pause, total = retry.get("IntervalSeconds", 1), 0
    for _ in range(min(retry.get("MaxAttempts", 3), most)):
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
