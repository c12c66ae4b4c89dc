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


@breaks(rules.whoever_uses_read_models_ends_before_old_ones_are_swept, "project-events: runs for 70 s")
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


@breaks(rules.no_action_has_a_star, "GetTicketFunctionRole: dynamodb:*")
def an_action_with_a_star(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Action"] = ["dynamodb:*"]


@breaks(rules.every_star_in_a_resource_has_a_reason, "get-ticket: *")
def a_resource_with_a_star(app: App) -> None:
    statements(app, "GetTicketFunction")[1]["Resource"] = "*"


@breaks(rules.every_star_in_a_resource_has_a_reason, "send-notification: *")
def a_star_without_a_reason(app: App) -> None:
    app.lists["wildcards"]["send-notification"]["*"] = ""


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


@breaks(rules.the_bus_may_write_to_each_dead_letter_queue_of_its_rules, "NotificationDeadLetterQueue: EventBridge may not write to it")
def a_dead_letter_queue_that_takes_none(app: App) -> None:
    del app.nested["messaging"]["Resources"]["NotificationDeadLetterQueuePolicy"]


@breaks(rules.every_machine_traces, "booking-saga: tracing is off")
def a_machine_that_does_not_trace(app: App) -> None:
    properties(app, "BookingSaga")["Tracing"] = {"Enabled": False}


@breaks(rules.the_api_traces_and_throttles, "tracing is off")
def an_api_that_does_not_trace(app: App) -> None:
    properties(app, "Api")["TracingEnabled"] = False


@breaks(rules.the_api_traces_and_throttles, "no throttle")
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
