"""The rules hold, and each of them notices when it is broken: every mutation below breaks one thing, and names the rule that must complain of it."""

import unittest
from collections.abc import Callable

import rules
from templates import App

Mutation = Callable[[App], None]
MUTATIONS: list[tuple[rules.Rule, str, Mutation]] = []


def breaks(rule: rules.Rule, where: str):
    """A mutation of which this rule must complain, with these words in it."""
    def note(mutation: Mutation) -> Mutation:
        MUTATIONS.append((rule, where, mutation))
        return mutation
    return note


def properties(app: App, name: str) -> dict:
    return app.main["Resources"][name]["Properties"]


def nested(app: App, name: str) -> dict:
    return next(template["Resources"][name] for template in app.nested.values() if name in template["Resources"])


def statements(app: App, name: str) -> list[dict]:
    return properties(app, name)["Policies"][0]["Statement"]


@breaks(rules.every_function_traces_and_logs_json, "get-saga: tracing is off")
def one_function_does_not_trace(app: App) -> None:
    properties(app, "GetSagaFunction")["Tracing"] = "PassThrough"


@breaks(rules.every_function_traces_and_logs_json, "create-ticket: it does not log JSON")
def functions_log_text(app: App) -> None:
    app.main["Globals"]["Function"]["LoggingConfig"]["LogFormat"] = "Text"


@breaks(rules.every_function_has_a_log_group_that_forgets, "create-ticket: its log group is Lambda's own")
def functions_log_where_lambda_does(app: App) -> None:
    del app.main["Globals"]["Function"]["LoggingConfig"]["LogGroup"]


@breaks(rules.every_function_has_a_log_group_that_forgets, "LogGroup: it keeps logs for good")
def a_log_group_without_retention(app: App) -> None:
    del properties(app, "LogGroup")["RetentionInDays"]


@breaks(rules.every_function_has_memory_and_a_time_limit, "login: memory or time limit is Lambda's default")
def no_time_limit(app: App) -> None:
    del app.main["Globals"]["Function"]["Timeout"]


@breaks(rules.every_function_has_memory_and_a_time_limit, "create-ticket: runs for 60 s")
def longer_than_the_gateway_waits(app: App) -> None:
    properties(app, "CreateTicketFunction")["Timeout"] = 60


@breaks(rules.a_step_ends_before_its_machine_gives_it_up, "Confirm Ticket")
def longer_than_the_machine_waits(app: App) -> None:
    properties(app, "ConfirmTicketFunction")["Timeout"] = 30


@breaks(rules.functions_that_use_read_models_end_before_a_sweep, "project-events: runs for 70 s")
def a_projector_that_outlives_its_epoch(app: App) -> None:
    properties(app, "ProjectEventsFunction")["Timeout"] = 70


@breaks(rules.every_failure_goes_somewhere, "relay-events: what its stream gives up is lost")
def a_stream_without_dead_letters(app: App) -> None:
    del properties(app, "RelayEventsFunction")["Events"]["EventStore"]["Properties"]["DestinationConfig"]


@breaks(rules.every_failure_goes_somewhere, "reconcile: it is invoked without waiting")
def a_schedule_whose_failures_nobody_sees(app: App) -> None:
    del properties(app, "ReconcileFunction")["EventInvokeConfig"]


@breaks(rules.every_failure_goes_somewhere, "get-ticket: nobody hears of a failure")
def a_function_that_nothing_calls(app: App) -> None:
    del properties(app, "GetTicketFunction")["Events"]


@breaks(rules.every_failure_goes_somewhere, "create-ticket: listed without a failure destination, but there is no need")
def a_reason_that_nothing_needs(app: App) -> None:
    app.lists["without failure destination"]["create-ticket"] = "It is dear to us."


@breaks(rules.every_function_sees_the_environment_on_the_list, "get-ticket: sees ['STRIPE_KEY_PARAMETER']")
def a_variable_too_many(app: App) -> None:
    properties(app, "GetTicketFunction")["Environment"] = {"Variables": {"STRIPE_KEY_PARAMETER": "/boxoffice/prod/stripe-secret-key"}}


@breaks(rules.every_function_sees_the_environment_on_the_list, "every function: EXTRA")
def a_variable_too_many_for_all(app: App) -> None:
    app.main["Globals"]["Function"]["Environment"]["Variables"]["EXTRA"] = "1"


@breaks(rules.every_policy_is_on_the_list, "+ get-ticket: dynamodb:PutItem on TicketsTable")
def an_action_too_many(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Action"].append("dynamodb:PutItem")


@breaks(rules.every_policy_is_on_the_list, "+ get-ticket: dynamodb:GetItem on PaymentsTable")
def another_contexts_table(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Resource"] = {"Fn::GetAtt": ["Tables", "Outputs.PaymentsTableArn"]}


@breaks(rules.every_policy_is_on_the_list, "- get-ticket: dynamodb:GetItem on TicketsTable")
def an_action_too_few(app: App) -> None:
    del statements(app, "GetTicketFunction")[1]


@breaks(rules.every_policy_is_on_the_list, "+ send-notification: ses:SendEmail on identity/*")
def a_condition_too_few(app: App) -> None:
    for statement in statements(app, "SendNotificationFunction"):
        statement.pop("Condition", None)


@breaks(rules.every_policy_is_on_the_list, "+ get-me")
def a_function_that_is_not_listed(app: App) -> None:
    del app.lists["functions"]["get-me"]


@breaks(rules.every_policy_is_on_the_list, "- get-moon")
def a_listed_function_that_is_not_there(app: App) -> None:
    app.lists["functions"]["get-moon"] = {}


@breaks(rules.every_policy_is_on_the_list, "+ booking-saga: sqs:PurgeQueue on StuckBookingsQueue")
def a_machine_that_may_too_much(app: App) -> None:
    statements(app, "BookingSaga")[1]["Action"].append("sqs:PurgeQueue")


@breaks(rules.a_page_may_do_what_the_calls_behind_it_may, "submit-order: may not dynamodb:Scan on TicketsTable, which a call behind it does")
def a_handler_with_a_new_action(app: App) -> None:
    next(it for it in statements(app, "CreateTicketFunction") if "TicketsTable" in str(it["Resource"]))["Action"].append("dynamodb:Scan")


@breaks(rules.a_page_may_do_what_the_calls_behind_it_may, "show-shop: may dynamodb:PutItem on InventoryTable, which no call behind it does")
def a_page_with_an_action_of_its_own(app: App) -> None:
    statements(app, "ShowShopFunction")[0]["Action"].append("dynamodb:PutItem")


@breaks(rules.a_page_may_do_what_the_calls_behind_it_may, "admit-buyer: does not see LOGIN_FREE_TRIES")
def a_page_without_a_setting(app: App) -> None:
    del properties(app, "AdmitBuyerFunction")["Environment"]["Variables"]["LOGIN_FREE_TRIES"]


@breaks(rules.no_action_has_a_star, "GetTicketFunctionRole: dynamodb:*")
def an_action_with_a_star(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Action"] = ["dynamodb:*"]


@breaks(rules.every_star_in_a_resource_has_a_reason, "get-ticket: *")
def a_resource_with_a_star(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Resource"] = "*"


@breaks(rules.every_star_in_a_resource_has_a_reason, "send-notification: endpoint/*")
def a_star_without_a_reason(app: App) -> None:
    app.lists["wildcards"]["send-notification"]["endpoint/*"] = ""


@breaks(rules.only_listed_managed_policies, "get-ticket: AmazonDynamoDBFullAccess")
def a_policy_of_awss(app: App) -> None:
    properties(app, "GetTicketFunction")["Policies"].append("arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess")


@breaks(rules.every_queue_is_encrypted_and_keeps_for_14_days, "StuckBookingsQueue: it is not encrypted")
def a_queue_in_the_clear(app: App) -> None:
    del nested(app, "StuckBookingsQueue")["Properties"]["SqsManagedSseEnabled"]


@breaks(rules.every_queue_is_encrypted_and_keeps_for_14_days, "RelayDeadLetterQueue: an operator has less than 14 days")
def a_queue_that_forgets(app: App) -> None:
    nested(app, "RelayDeadLetterQueue")["Properties"]["MessageRetentionPeriod"] = 345600


@breaks(rules.every_topic_is_encrypted, "AlarmTopic: it is not encrypted")
def a_topic_in_the_clear(app: App) -> None:
    app.nested["alarms"]["Resources"]["AlarmTopic"] = {"Type": "AWS::SNS::Topic"}


@breaks(rules.a_queue_takes_messages_from_our_rules_only, "SagaStartDeadLetterQueuePolicy")
def a_queue_that_anybody_may_write_to(app: App) -> None:
    nested(app, "SagaStartDeadLetterQueuePolicy")["Properties"]["PolicyDocument"]["Statement"][0]["Principal"] = "*"


@breaks(rules.a_queue_that_a_function_empties_is_patient_and_limited, "NotificationQueue: a message shows again")
def a_queue_that_shows_a_message_while_it_is_being_sent(app: App) -> None:
    nested(app, "NotificationQueue")["Properties"]["VisibilityTimeout"] = 30


@breaks(rules.a_queue_that_a_function_empties_is_patient_and_limited, "NotificationQueue: nothing limits how fast it is emptied")
def a_queue_that_is_emptied_as_fast_as_lambda_likes(app: App) -> None:
    del properties(app, "SendNotificationFunction")["Events"]["Waiting"]["Properties"]["ScalingConfig"]


@breaks(rules.a_queue_that_a_function_empties_is_patient_and_limited, "NotificationQueue: a message that fails takes its batch along")
def a_queue_whose_batches_fail_whole(app: App) -> None:
    del properties(app, "SendNotificationFunction")["Events"]["Waiting"]["Properties"]["FunctionResponseTypes"]


@breaks(rules.every_failure_goes_somewhere, "send-notification: what its stream gives up is lost")
def a_queue_without_a_dead_letter_queue(app: App) -> None:
    del nested(app, "NotificationQueue")["Properties"]["RedrivePolicy"]


@breaks(rules.every_queue_has_an_alarm, "RelayDeadLetterQueue: no alarm")
def a_queue_without_an_alarm(app: App) -> None:
    del app.nested["alarms"]["Resources"]["RelayDeadLetterQueueAlarm"]


@breaks(rules.every_queue_has_an_alarm, "RelayDeadLetterQueue: no alarm")
def an_alarm_that_watches_another_queue(app: App) -> None:
    given = properties(app, "Alarms")["Parameters"]
    given["RelayDeadLetterQueue"] = given["StuckBookingsQueue"]


@breaks(rules.every_table_is_encrypted_and_paid_by_use, "UsersTable: it is not encrypted")
def a_table_in_the_clear(app: App) -> None:
    del nested(app, "UsersTable")["Properties"]["SSESpecification"]


@breaks(rules.every_table_is_encrypted_and_paid_by_use, "UsersTable: it costs while nothing sells")
def a_table_paid_by_the_hour(app: App) -> None:
    nested(app, "UsersTable")["Properties"]["BillingMode"] = "PROVISIONED"


@breaks(rules.every_table_of_value_can_be_recovered_and_is_kept, "PaymentsTable: no point-in-time recovery")
def a_table_that_cannot_be_recovered(app: App) -> None:
    del nested(app, "PaymentsTable")["Properties"]["PointInTimeRecoverySpecification"]


@breaks(rules.every_table_of_value_can_be_recovered_and_is_kept, "PaymentsTable: DeletionPolicy")
def a_table_that_goes_with_the_stack(app: App) -> None:
    nested(app, "PaymentsTable")["DeletionPolicy"] = "Delete"


@breaks(rules.every_table_of_value_can_be_recovered_and_is_kept, "PaymentsTable: it can be deleted by mistake")
def a_table_that_can_be_deleted(app: App) -> None:
    nested(app, "PaymentsTable")["Properties"]["DeletionProtectionEnabled"] = False


@breaks(rules.every_table_of_value_can_be_recovered_and_is_kept, "ViewsTable: DeletionPolicy keeps what nobody wants")
def a_table_that_a_test_stack_leaves_behind(app: App) -> None:
    nested(app, "ViewsTable")["DeletionPolicy"] = "Retain"


@breaks(rules.data_is_kept_unless_it_is_said_otherwise, "template.yaml: who says nothing loses data")
def data_lost_by_default(app: App) -> None:
    app.main["Parameters"]["KeepData"]["Default"] = "false"


@breaks(rules.data_is_kept_unless_it_is_said_otherwise, "samconfig.toml: prod does not keep its data")
def data_lost_in_prod(app: App) -> None:
    app.environments["prod"]["deploy"]["parameters"]["parameter_overrides"].append("KeepData=false")


@breaks(rules.every_rule_target_retries_and_has_a_dead_letter_queue, "BookingSagaBooked: no dead-letter queue")
def a_rule_without_dead_letters(app: App) -> None:
    del properties(app, "BookingSaga")["Events"]["Booked"]["Properties"]["DeadLetterConfig"]


@breaks(rules.every_rule_target_retries_and_has_a_dead_letter_queue, "ReconcileFunctionSchedule: retries are EventBridge's default")
def a_schedule_that_says_nothing_of_retries(app: App) -> None:
    del properties(app, "ReconcileFunction")["Events"]["Schedule"]["Properties"]["RetryPolicy"]


@breaks(rules.the_bus_may_write_to_each_queue_of_its_rules, "NotificationQueue: EventBridge may not write to it")
def a_queue_that_the_bus_may_not_write_to(app: App) -> None:
    del app.nested["messaging"]["Resources"]["NotificationQueuePolicy"]


@breaks(rules.the_bus_may_write_to_each_queue_of_its_rules, "NotificationDeadLetterQueue: EventBridge may not write to it")
def a_dead_letter_queue_that_takes_none(app: App) -> None:
    del app.nested["messaging"]["Resources"]["NotificationDeadLetterQueuePolicy"]


@breaks(rules.every_machine_traces, "booking-saga: tracing is off")
def a_machine_that_does_not_trace(app: App) -> None:
    properties(app, "BookingSaga")["Tracing"] = {"Enabled": False}


@breaks(rules.the_api_throttles_and_keeps_paths_out_of_traces, "traces keep paths, with mail addresses in them")
def an_api_that_traces(app: App) -> None:
    properties(app, "Api")["TracingEnabled"] = True


@breaks(rules.the_api_throttles_and_keeps_paths_out_of_traces, "no throttle")
def an_api_without_a_throttle(app: App) -> None:
    properties(app, "Api")["MethodSettings"].pop(0)


@breaks(rules.every_alarm_names_a_runbook, "NeedsAttentionAlarm")
def an_alarm_whose_runbook_is_not_there(app: App) -> None:
    nested(app, "NeedsAttentionAlarm")["Properties"]["AlarmDescription"] = {"Fn::Sub": "Act. ${Runbooks}/needs-attention.md"}


@breaks(rules.every_alarm_names_a_runbook, "NeedsAttentionAlarm")
def an_alarm_without_a_runbook(app: App) -> None:
    nested(app, "NeedsAttentionAlarm")["Properties"]["AlarmDescription"] = "A booking's undo failed for good."


@breaks(rules.every_runbook_is_named_by_an_alarm, "docs/runbooks/in-vain.md")
def a_runbook_that_nobody_is_sent_to(app: App) -> None:
    app.runbooks.add("in-vain")


@breaks(rules.every_alarm_tells_somebody_and_says_what_silence_means, "StuckBookingsQueueAlarm: nobody is told")
def an_alarm_that_nobody_hears(app: App) -> None:
    del nested(app, "StuckBookingsQueueAlarm")["Properties"]["AlarmActions"]


@breaks(rules.every_alarm_tells_somebody_and_says_what_silence_means, "StuckBookingsQueueAlarm: silence would be an alarm")
def an_alarm_while_nothing_sells(app: App) -> None:
    nested(app, "StuckBookingsQueueAlarm")["Properties"]["TreatMissingData"] = "breaching"


@breaks(rules.a_slow_saga_is_slower_than_its_hold_and_its_retries, "SlowSagaMilliseconds: 600.0 s")
def an_alarm_while_a_saga_still_tries(app: App) -> None:
    app.main["Parameters"]["SlowSagaMilliseconds"]["Default"] = 600000


@breaks(rules.every_metric_of_ours_is_written_explained_and_shown, "Applause: docs/LOGGING.md does not explain it")
def a_metric_that_nobody_explains(app: App) -> None:
    app.metrics[0].add("Applause")


@breaks(rules.every_metric_of_ours_is_written_explained_and_shown, "OutboxLag: no program writes it")
def a_metric_that_no_program_writes(app: App) -> None:
    app.metrics[0].remove("OutboxLag")


@breaks(rules.every_metric_of_ours_is_written_explained_and_shown, "ReconcileTime: infra/dashboard.yaml does not show it")
def a_metric_that_the_dashboard_does_not_show(app: App) -> None:
    body = nested(app, "Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace('"ReconcileTime"', '"Invocations"')


@breaks(rules.every_metric_of_ours_is_written_explained_and_shown, "OutboxLags: an alarm names what no program writes")
def an_alarm_of_a_metric_that_is_not_there(app: App) -> None:
    nested(app, "OutboxLagAlarm")["Properties"]["MetricName"] = "OutboxLags"


@breaks(rules.the_dashboard_is_json_and_its_widgets_do_not_overlap, "with logs: Expecting")
def a_dashboard_with_a_comma_too_few(app: App) -> None:
    body = nested(app, "Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace('"widgets": [', '"widgets": [ 1 2')


@breaks(rules.the_dashboard_is_json_and_its_widgets_do_not_overlap, "without logs: Seats is over Bookings")
def a_widget_over_another(app: App) -> None:
    body = nested(app, "Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace('"x": 12, "y": 2', '"x": 6, "y": 2')


@breaks(rules.every_reference_names_what_the_template_declares, "UsagePlan.Properties.ApiStages.0.Stage: Api.Stage is not declared")
def a_reference_that_sam_alone_knows(app: App) -> None:
    properties(app, "UsagePlan")["ApiStages"][0]["Stage"] = {"Ref": "Api.Stage"}


@breaks(rules.every_reference_names_what_the_template_declares, "UsagePlan.Properties.ApiStages.0.Stage: ApiStage is not declared")
def a_reference_to_a_resource_that_sam_generates(app: App) -> None:
    properties(app, "UsagePlan")["ApiStages"][0]["Stage"] = {"Ref": "ApiStage"}


@breaks(rules.every_reference_names_what_the_template_declares, "Firewall.Properties.Parameters.StageArn: Api.Stage is not declared")
def a_text_with_a_reference_that_sam_alone_knows(app: App) -> None:
    properties(app, "Firewall")["Parameters"]["StageArn"] = {"Fn::Sub": "arn:aws:apigateway:::/restapis/${Api}/stages/${Api.Stage}"}


@breaks(rules.every_definition_substitution_is_text, "BookingSaga: HoldSeconds is a number, on which LocalStack's state machines fail")
def a_number_in_a_state_machine(app: App) -> None:
    properties(app, "BookingSaga")["DefinitionSubstitutions"]["HoldSeconds"] = {"Ref": "HoldSeconds"}


@breaks(rules.every_definition_substitution_is_text, "BookingSaga: HoldSeconds is a number")
def a_number_that_a_substitution_leaves_one(app: App) -> None:
    properties(app, "BookingSaga")["DefinitionSubstitutions"]["HoldSeconds"] = {"Fn::Sub": "${HoldSeconds}"}


@breaks(rules.every_definition_substitution_is_text, "BookingSaga: HoldSeconds is a number")
def a_number_as_it_stands(app: App) -> None:
    properties(app, "BookingSaga")["DefinitionSubstitutions"]["HoldSeconds"] = 600


@breaks(rules.a_nested_parameter_that_may_be_empty_has_a_default, "Alarms: BookedRule may be empty. LocalStack counts an empty parameter without a default as missing")
def an_empty_parameter_that_is_handed_on(app: App) -> None:
    properties(app, "Alarms")["Parameters"]["BookedRule"] = {"Ref": "StripeKeyParameter"}


@breaks(rules.a_nested_parameter_that_may_be_empty_has_a_default, "Dashboard: LogGroup may be empty")
def a_parameter_that_is_empty_on_a_condition(app: App) -> None:
    del app.nested["dashboard"]["Parameters"]["LogGroup"]["Default"]


@breaks(rules.no_substitution_is_escaped, "infra/dashboard.yaml, Dashboard.Properties.DashboardBody: ${!PROP('Dim.Code')} in !Sub, and LocalStack does not know the escape")
def an_escape_in_the_dashboard(app: App) -> None:
    body = nested(app, "Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    body[0] = body[0].replace("${CodeLabel}", "${!PROP('Dim.Code')}")


@breaks(rules.the_gateway_requires_no_parameter, "CreateTicketFunction, Http: the gateway requires method.request.header.Idempotency-Key. It compares the name by case")
def a_header_that_a_browser_cannot_send(app: App) -> None:
    event = properties(app, "CreateTicketFunction")["Events"]["Http"]["Properties"]
    event["RequestParameters"] = [{"method.request.header.Idempotency-Key": {"Required": True}}]


@breaks(rules.the_gateway_requires_no_parameter, "ReserveSeatsFunction, ById: the gateway requires method.request.querystring.quantity. One mistake would have two codes")
def a_quantity_that_the_gateway_misses_first(app: App) -> None:
    event = properties(app, "ReserveSeatsFunction")["Events"]["ById"]["Properties"]
    event["RequestParameters"] = [{"method.request.querystring.quantity": {"Required": True}}]


@breaks(rules.the_api_throttles_and_keeps_paths_out_of_traces, "/~1users~1login: no throttle of its own")
def log_ins_at_the_rate_of_everything(app: App) -> None:
    settings = properties(app, "Api")["MethodSettings"]
    settings[:] = [it for it in settings if it["ResourcePath"] != "/~1users~1login"]


@breaks(rules.the_api_throttles_and_keeps_paths_out_of_traces, "/~1health: no throttle of its own")
def health_at_the_rate_of_everything(app: App) -> None:
    settings = properties(app, "Api")["MethodSettings"]
    settings[:] = [it for it in settings if it["ResourcePath"] != "/~1health"]


@breaks(rules.the_api_has_no_detailed_metrics, "/*: detailed metrics")
def a_metric_for_every_method(app: App) -> None:
    properties(app, "Api")["MethodSettings"][0]["MetricsEnabled"] = True


@breaks(rules.every_name_fits_whatever_the_stack_is_called, "EventArchive: its name may be 60 long, and AWS takes 48")
def an_archive_with_a_long_name(app: App) -> None:
    nested(app, "EventArchive")["Properties"]["ArchiveName"] = {"Fn::Sub": "${Stack}-every-event-of-the-stack"}


@breaks(rules.every_name_fits_whatever_the_stack_is_called, "EventArchive: its name is generated")
def an_archive_that_cloudformation_names(app: App) -> None:
    del nested(app, "EventArchive")["Properties"]["ArchiveName"]


@breaks(rules.every_name_fits_whatever_the_stack_is_called, "GetMeFunction: its name may be 66 long, and AWS takes 64")
def a_function_with_a_long_name(app: App) -> None:
    properties(app, "GetMeFunction")["FunctionName"] = {"Fn::Sub": "${AWS::StackName}-get-me-and-nobody-else-whoever"}


@breaks(rules.a_browser_may_read_what_the_gateway_answers, "THROTTLED: no Access-Control-Allow-Origin")
def a_throttle_that_a_browser_takes_for_a_broken_network(app: App) -> None:
    del properties(app, "Api")["GatewayResponses"]["THROTTLED"]["ResponseParameters"]["Headers"]["Access-Control-Allow-Origin"]


@breaks(rules.a_browser_may_read_what_the_gateway_answers, "DEFAULT_5XX: Retry-After is not exposed")
def a_wait_that_a_page_cannot_read(app: App) -> None:
    del properties(app, "Api")["GatewayResponses"]["DEFAULT_5XX"]["ResponseParameters"]["Headers"]["Access-Control-Expose-Headers"]


KEEPS_SAFE = rules.an_answer_from_before_the_functions_keeps_browsers_safe


@breaks(KEEPS_SAFE, "THROTTLED: strict-transport-security is not max-age=63072000; includeSubDomains")
def a_throttle_that_forgets_tls(app: App) -> None:
    del properties(app, "Api")["GatewayResponses"]["THROTTLED"]["ResponseParameters"]["Headers"]["Strict-Transport-Security"]


@breaks(KEEPS_SAFE, "firewall, requests: x-content-type-options is not nosniff")
def a_firewall_whose_answer_may_be_taken_for_a_page(app: App) -> None:
    headers = nested(app, "WebAcl")["Properties"]["Rules"][1]["Action"]["Block"]["CustomResponse"]["ResponseHeaders"]
    headers[:] = [header for header in headers if header.get("Name") != "X-Content-Type-Options"]


@breaks(KEEPS_SAFE, "firewall, requests: 11 headers, and AWS WAF takes 10")
def a_firewall_with_more_headers_than_aws_takes(app: App) -> None:
    headers = nested(app, "WebAcl")["Properties"]["Rules"][1]["Action"]["Block"]["CustomResponse"]["ResponseHeaders"]
    headers += [{"Name": f"X-More-{number}", "Value": "yes"} for number in range(2)]


@breaks(rules.a_gateway_answer_has_the_status_that_it_says, "DEFAULT_4XX: its status replaces that of every other type")
def one_status_for_all_refusals(app: App) -> None:
    properties(app, "Api")["GatewayResponses"]["DEFAULT_4XX"]["StatusCode"] = "400"


@breaks(rules.a_gateway_answer_has_the_status_that_it_says, "WAF_FILTERED: answers 400, and its body says 403")
def a_body_with_another_status(app: App) -> None:
    properties(app, "Api")["GatewayResponses"]["WAF_FILTERED"]["StatusCode"] = "400"


@breaks(rules.a_gateway_answer_has_the_status_that_it_says, "UNSUPPORTED_MEDIA_TYPE: not listed")
def a_type_that_is_left_to_the_default(app: App) -> None:
    del properties(app, "Api")["GatewayResponses"]["UNSUPPORTED_MEDIA_TYPE"]


@breaks(rules.requests_and_express_executions_are_logged, "Api: no access log")
def an_api_without_an_access_log(app: App) -> None:
    del properties(app, "Api")["AccessLogSetting"]


def access_log(app: App) -> dict:
    return properties(app, "Api")["AccessLogSetting"]["Fn::If"][1]


ACCESS_LOG = rules.an_access_log_line_says_how_a_request_went_and_nothing_of_its_caller_but_the_address


@breaks(ACCESS_LOG, "path: $context.path is not among what an access log may have")
def an_access_log_with_ids_in_it(app: App) -> None:
    access_log(app)["Format"] = access_log(app)["Format"].replace('"route":"$context.resourcePath"', '"path":"$context.path"')


@breaks(ACCESS_LOG, "the access log's format is no JSON")
def an_access_log_that_nothing_reads(app: App) -> None:
    access_log(app)["Format"] = "$context.requestId $context.status"


@breaks(ACCESS_LOG, "the access log's format has no request id")
def an_access_log_that_api_gateway_refuses(app: App) -> None:
    access_log(app)["Format"] = '{"status":"$context.status"}'


@breaks(ACCESS_LOG, "LogGroup: it is there on another condition than the setting that needs it")
def an_access_log_among_those_of_functions(app: App) -> None:
    access_log(app)["DestinationArn"] = {"Fn::GetAtt": ["LogGroup", "Arn"]}


@breaks(ACCESS_LOG, "AccessLogGroup: no log group of the template that forgets")
def an_access_log_that_is_kept_for_good(app: App) -> None:
    del properties(app, "AccessLogGroup")["RetentionInDays"]


@breaks(rules.requests_and_express_executions_are_logged, "booking-saga: an express execution that fails leaves nothing")
def an_express_machine_without_a_log(app: App) -> None:
    properties(app, "BookingSaga")["Type"] = "EXPRESS"


@breaks(rules.requests_and_express_executions_are_logged, "booking-saga: its log has what messages are about")
def an_express_machine_that_logs_people(app: App) -> None:
    properties(app, "BookingSaga").update(Type="EXPRESS", Logging={"Level": "ERROR", "IncludeExecutionData": True})


@breaks(rules.an_index_is_only_queried, "list-sagas: dynamodb:BatchGetItem on SagasTable/index/gsi1")
def an_index_that_is_read_like_a_table(app: App) -> None:
    statements(app, "ListSagasFunction")[2]["Action"].append("dynamodb:BatchGetItem")


@breaks(rules.what_acts_on_an_index_has_a_reason, "find-upcoming-tickets: acts on what an index says")
def an_answer_of_an_index_that_nobody_thought_about(app: App) -> None:
    app.lists["acts on an index"]["find-upcoming-tickets"] = ""


@breaks(rules.what_acts_on_an_index_has_a_reason, "list-users: acts on what an index says")
def a_list_that_begins_to_write(app: App) -> None:
    statements(app, "ListUsersFunction").append({
        "Effect": "Allow", "Action": ["dynamodb:UpdateItem"], "Resource": {"Fn::GetAtt": ["Tables", "Outputs.UsersTableArn"]},
    })


@breaks(rules.what_acts_on_an_index_has_a_reason, "get-me: listed as acting on an index, and does not")
def a_reason_without_a_need(app: App) -> None:
    app.lists["acts on an index"]["get-me"] = "It might one day."


@breaks(rules.a_variable_beside_a_word_is_an_id, "/inventory/event/{eventName}: beside popular a variable must be an id")
def an_event_whose_name_is_a_path(app: App) -> None:
    properties(app, "GetHealthFunction")["Events"]["Popular"] = {"Type": "Api", "Properties": {"Path": "/inventory/event/popular", "Method": "get"}}


@breaks(rules.no_function_reserves_concurrency_or_enters_a_network, "login: reserves concurrency")
def a_reservation_that_a_new_account_cannot_make(app: App) -> None:
    properties(app, "LoginFunction")["ReservedConcurrentExecutions"] = 5


@breaks(rules.no_function_reserves_concurrency_or_enters_a_network, "process-payment: is in a network")
def a_function_that_reaches_stripe_by_the_hour(app: App) -> None:
    properties(app, "ProcessPaymentFunction")["VpcConfig"] = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


@breaks(rules.every_table_is_encrypted_and_paid_by_use, "TicketsTable")
def a_table_whose_key_no_function_may_use(app: App) -> None:
    nested(app, "TicketsTable")["Properties"]["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/ours"}


@breaks(rules.a_stream_reader_gives_up_by_age, "relay-events: gives up after 1000 tries")
def a_reader_that_counts_tries(app: App) -> None:
    properties(app, "RelayEventsFunction")["Events"]["EventStore"]["Properties"]["MaximumRetryAttempts"] = 1000


@breaks(rules.a_stream_reader_gives_up_by_age, "project-events: gives up what the stream has forgotten")
def a_reader_that_gives_up_too_late(app: App) -> None:
    properties(app, "ProjectEventsFunction")["Events"]["EventStore"]["Properties"]["MaximumRecordAgeInSeconds"] = 90000


@breaks(rules.a_stream_reader_gives_up_by_age, "relay-events: its lanes are no parameter")
def a_reader_that_takes_a_new_accounts_whole_concurrency(app: App) -> None:
    properties(app, "RelayEventsFunction")["Events"]["EventStore"]["Properties"]["ParallelizationFactor"] = 10


@breaks(rules.every_rate_of_the_account_has_an_alarm, "AWS/States ThrottledEvents StateTransition: no alarm")
def sagas_slowed_down_in_silence(app: App) -> None:
    del app.nested["alarms"]["Resources"]["StateTransitionsThrottledAlarm"]


@breaks(rules.every_rate_of_the_account_has_an_alarm, "BookedRuleThrottledAlarm: it watches no rule of the template")
def an_alarm_of_a_rule_that_has_another_name(app: App) -> None:
    properties(app, "BookingSaga")["Events"]["Booked"]["Properties"]["RuleName"] = {"Fn::Sub": "${AWS::StackName}-sold"}


@breaks(rules.every_alarm_on_an_incident_watches_one_that_programs_note, "SecondFactorGuarded: no alarm")
def codes_guessed_in_silence(app: App) -> None:
    del app.nested["alarms"]["Resources"]["SecondFactorGuardedAlarm"]


@breaks(rules.every_alarm_on_an_incident_watches_one_that_programs_note, "RoleChangedAlarm: no program notes RolesChanged")
def an_alarm_on_an_incident_that_never_comes(app: App) -> None:
    nested(app, "RoleChangedAlarm")["Properties"]["Dimensions"][2]["Value"] = "RolesChanged"


@breaks(rules.what_signs_restarts_with_its_key, "login: a deployment for a new key does not restart it")
def a_log_in_that_keeps_an_old_key(app: App) -> None:
    del properties(app, "LoginFunction")["Environment"]["Variables"]["TOKEN_KEY_GENERATION"]


@breaks(rules.a_default_is_what_production_wants, "RateLimitByAddress: true is production's, and not the default")
def a_firewall_that_one_has_to_ask_for(app: App) -> None:
    app.main["Parameters"]["RateLimitByAddress"]["Default"] = "false"


@breaks(rules.a_default_is_what_production_wants, "AllowedOrigin: none is production's, and not the default")
def any_origin_by_default(app: App) -> None:
    app.main["Parameters"]["AllowedOrigin"]["Default"] = "*"


@breaks(rules.a_default_is_what_production_wants, "AlarmTopicArn: has a default, so alarms that nobody hears are deployed")
def alarms_that_nobody_hears_by_default(app: App) -> None:
    app.main["Parameters"]["AlarmTopicArn"]["Default"] = "none"


@breaks(rules.a_default_is_what_production_wants, "Api: TLS below 1.2")
def an_old_tls(app: App) -> None:
    del properties(app, "Api")["SecurityPolicy"]


@breaks(rules.a_default_is_what_production_wants, "samconfig.toml: prod opens AccessLogs=false")
def an_open_prod(app: App) -> None:
    app.environments["prod"]["deploy"]["parameters"]["parameter_overrides"].append("AccessLogs=false")


@breaks(rules.a_default_is_what_production_wants, "samconfig.toml: prod opens AllowedOrigin=*")
def any_origin_in_prod(app: App) -> None:
    app.environments["prod"]["deploy"]["parameters"]["parameter_overrides"].append("AllowedOrigin=*")


@breaks(rules.every_template_fits_aws_s_limits, "template.yaml: ")
def one_template_for_everything(app: App) -> None:
    app.main["Resources"] |= {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(500)}


@breaks(rules.every_template_fits_aws_s_limits, "infra/messaging.yaml: 501 Resources")
def one_nested_template_for_everything(app: App) -> None:
    app.nested["messaging"]["Resources"] = {f"Topic{number}": {"Type": "AWS::SNS::Topic"} for number in range(501)}


@breaks(rules.every_template_fits_aws_s_limits, "Api: ")
def one_api_for_everything(app: App) -> None:
    events = properties(app, "GetHealthFunction")["Events"]
    events |= {f"Path{number}": {"Type": "Api", "Properties": {"Path": f"/part-{number}", "Method": "get"}} for number in range(300)}


class Rules(unittest.TestCase):
    def test_every_rule_holds(self) -> None:
        app = App()
        for rule in rules.RULES:
            with self.subTest(rule.__name__):
                complaints = rule(app)
                self.assertFalse(complaints, "\n  " + "\n  ".join(complaints))

    def test_every_rule_notices_when_it_is_broken(self) -> None:
        for rule, where, mutate in MUTATIONS:
            with self.subTest(mutate.__name__):
                app = App()
                mutate(app)
                complaints = rule(app)
                self.assertTrue(any(where in complaint for complaint in complaints), f"{rule.__name__} says {complaints}, and nothing of: {where}")

    def test_every_rule_has_a_mutation(self) -> None:
        self.assertEqual({rule.__name__ for rule in rules.RULES}, {rule.__name__ for rule, _, _ in MUTATIONS})


if __name__ == "__main__":
    unittest.main()
