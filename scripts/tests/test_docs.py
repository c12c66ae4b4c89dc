"""Each rule of docs.py, on a small checkout that keeps it and on one that breaks it.

    python3 -m unittest discover -s scripts/tests
"""

import json
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

import docs_checks as checks  # noqa: E402
import docs_generated as generated  # noqa: E402
import template_yaml  # noqa: E402

SCHEMA = {
    "title": "TicketCreated",
    "description": "Seats are held.",
    "properties": {
        "metadata": {
            "properties": {
                "eventId": {"$ref": "#/$defs/eventId"},
                "schemaVersion": {"const": 1},
                "aggregateId": {"$ref": "#/$defs/ticketId"},
            }
        },
        "data": {
            "type": "object",
            "required": ["ticketId"],
            "properties": {"ticketId": {"$ref": "#/$defs/ticketId"}, "quantity": {"type": "integer", "minimum": 1, "maximum": 1000}},
        },
    },
    "$defs": {
        "eventId": {"type": "string", "pattern": "^evt_[0-9a-f]{32}$", "description": "This event."},
        "ticketId": {"type": "string", "pattern": "^tkt_[0-9a-f]{32}$", "description": "The booking."},
    },
}
TEMPLATE = """
Metadata:
  AWS::CloudFormation::Interface:
    ParameterGroups:
      - Label: { default: Booking }
        Parameters: [HoldSeconds]
Parameters:
  HoldSeconds:
    Type: Number
    Default: 600
    MinValue: 5
    MaxValue: 86400
    Description: How long seats are held.
  Environment:
    Type: String
    Default: ""
    Description: >-
      Names the
      stage.
Resources:
  BookingSaga:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ${AWS::StackName}-booking-saga
      Events:
        Booked:
          Type: EventBridgeRule
          Properties:
            Pattern:
              source: [boxoffice.tickets]
              detail-type: [TicketCreated]
              detail: { data: { by: [REQUEST] } }
"""
EVENTS_RS = """
/// TicketCreated is stated here.
const CONTEXT: &'static str = "tickets";
about_a_booking!(TicketCreated {});
"""
MAIN_RS = """
enum Command {
    #[command(subcommand)]
    DeadLetters(command::dead_letters::Command),
    Reconcile(command::reconcile::Reconcile),
}
"""
DEAD_LETTERS_RS = """
pub(crate) enum Command {
    /// List the queues.
    List(Stack),
    Redrive(Redrive),
}
struct Stack {
    #[arg(long, default_value = "boxoffice")]
    stack: String,
    #[arg(long = "as")]
    operator: String,
}
"""
PROBLEM_RS = """
pub enum Code {
    /// No such path.
    RouteNotFound,
}
"""
ASL = {"StartAt": "Claim Saga", "States": {"Claim Saga": {}, "Verify Hold": {}}}
DEPLOYING = f"# Deploying\n\n{generated.BEGIN}\n{generated.END}\n"


class Checkout(unittest.TestCase):
    """A checkout small enough to be seen whole, that keeps every rule."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("Cargo.toml", '[workspace.package]\nrepository = "https://github.com/one/house"\n')
        self.write("template.yaml", TEMPLATE)
        self.write("infra/tables.yaml", "Resources: {}\n")
        self.write("events/TicketCreated.schema.json", json.dumps(SCHEMA))
        self.write("events/TicketCreated.sample.json", '{"metadata": {}, "data": {}}')
        self.write("functions/tickets/src/events.rs", EVENTS_RS)
        self.write("functions/tickets/src/store.rs", "/// AP-01 get ticket.\npub async fn get() {}\n")
        self.write("functions/reporting/src/news.rs", '        "TicketCreated" => one(),\n        _ => none(),\n')
        self.write("cli/src/main.rs", MAIN_RS)
        self.write("cli/src/command/dead_letters.rs", DEAD_LETTERS_RS)
        self.write("cli/src/command/reconcile.rs", "")
        self.write("statemachines/booking-saga.asl.json", json.dumps(ASL))
        self.write("Makefile", "help: ## Help\n\ntest: up\n\tpython3 scripts/test.py\n")
        self.write("scripts/test.py", "")
        self.write("scripts/docs.py", "")
        self.write("events/README.md", "# Events\n")
        self.write("docs/data-model.md", "| AP | Method |\n|---|---|\n| AP-01 get ticket | `get` | key | none |\n")
        self.write("docs/adr/0001-one.md", "# 1. One\n")
        self.write("docs/adr/README.md", "| 1 | [One](0001-one.md) |\n")
        self.write("docs/sequences.md", "```mermaid\nsequenceDiagram\n  Note over Saga: Claim Saga → Verify Hold: it is held\n```\n")
        self.write("shared/runtime/src/problem.rs", PROBLEM_RS)
        self.write("docs/problems.md", "| [ROUTE_NOT_FOUND](#route_not_found) | 404 |\n\n## ROUTE_NOT_FOUND\n")
        names = ("problems.md", "data-model.md", "sequences.md", "events.md", "deploying.md")
        self.write("docs/README.md", "\n".join(f"[{name}]({name})" for name in names))
        self.write("docs/events.md", generated.catalogue(self.root))
        self.write("docs/deploying.md", generated.with_parameters(DEPLOYING, generated.parameters(self.root)))

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def findings(self, rule):
        return [str(finding) for finding in rule(self.root)]

    def assert_broken(self, rule, *parts):
        """The rule is broken in one place, and what it says has these parts."""
        found = self.findings(rule)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def page(self, text):
        """One page more, in a place that no index has to list."""
        self.write("page.md", text)


class EveryRule(Checkout):
    def test_a_checkout_that_keeps_them(self):
        for rule in checks.RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(self.findings(rule), [])

    def test_a_rule_says_what_it_is(self):
        for rule in checks.RULES:
            self.assertTrue(rule.__doc__)


class Links(Checkout):
    def test_a_link_to_nothing(self):
        self.page("[here](docs/nothing.md)\n")
        self.assert_broken(checks.links, "page.md:1", "docs/nothing.md leads to nothing")

    def test_an_anchor_that_no_heading_makes(self):
        self.page("# A Heading: `with` [a link](x)!\n\n[yes](#a-heading-with-a-link)\n[no](#a-heading)\n".replace("(x)", "(page.md)"))
        self.assert_broken(checks.links, "page.md:4", "#a-heading")

    def test_an_anchor_of_another_page(self):
        self.page("[yes](docs/adr/0001-one.md#1-one)\n[no](docs/adr/0001-one.md#2-two)\n")
        self.assert_broken(checks.links, "page.md:2", "#2-two")

    def test_headings_of_one_name_are_numbered(self):
        self.page("# One\n# One\n[second](#one-1)\n[third](#one-2)\n")
        self.assert_broken(checks.links, "#one-2")

    def test_text_that_is_no_link_is_ignored(self):
        self.page("`[code](nothing.md)`\n\n```sh\n[fenced](nothing.md)\n```\n[elsewhere](https://example.org/nothing.md)\n")
        self.assertEqual(self.findings(checks.links), [])

    def test_a_link_that_goes_on_in_the_next_line(self):
        self.page("one\ntwo [a\nlink](nothing.md)\n")
        self.assert_broken(checks.links, "page.md:2", "nothing.md")

    def test_a_reference(self):
        self.page("[text][x]\n\n[x]: nothing.md\n")
        self.assert_broken(checks.links, "page.md:3")

    def test_underscores_stay_in_an_anchor(self):
        self.assertEqual(checks.slug("INVALID_PRICE"), "invalid_price")
        self.assertEqual(checks.slug("*Two* words — and_more"), "two-words--and_more")


class AccessPatterns(Checkout):
    def test_one_of_the_code_without_a_row(self):
        self.write("shared/aws/src/journal.rs", "/// AP-02 record.\nfn record() {}\n")
        self.assert_broken(checks.access_patterns, "shared/aws/src/journal.rs:1", "AP-02 is not in docs/data-model.md")

    def test_one_that_is_only_mentioned(self):
        self.write("functions/tickets/src/handlers/get.rs", "//! | reads | AP-01 to AP-02 |\n")
        self.assert_broken(checks.access_patterns, "AP-02 is not in docs/data-model.md")

    def test_a_row_that_the_code_has_not(self):
        self.write("docs/data-model.md", (self.root / "docs/data-model.md").read_text() + "| AP-02 put | `put` | key | none |\n")
        self.assert_broken(checks.access_patterns, "docs/data-model.md:4", "no method of the code says that it is AP-02")

    def test_a_row_with_another_method(self):
        self.write("functions/tickets/src/store.rs", "/// AP-01 get ticket.\n#[must_use]\npub(crate) fn fetch() {}\n")
        self.assert_broken(checks.access_patterns, "AP-01 is fetch in the code")

    def test_two_rows(self):
        row = "| AP-01 get ticket | `get` | key | none |\n"
        self.write("docs/data-model.md", row + row)
        self.assert_broken(checks.access_patterns, "has a row already")

    def test_a_page_that_names_one_that_is_not(self):
        self.page("It reads by AP-77.\n")
        self.assert_broken(checks.access_patterns, "page.md:1", "AP-77")


class Decisions(Checkout):
    def test_one_that_is_not_listed(self):
        self.write("docs/adr/0002-two.md", "# 2. Two\n")
        self.assert_broken(checks.decisions, "0002-two.md is not listed")

    def test_a_number_twice(self):
        self.write("docs/adr/0001-uno.md", "# 1. Uno\n")
        self.write("docs/adr/README.md", "[One](0001-one.md) [Uno](0001-uno.md)\n")
        self.assert_broken(checks.decisions, "another decision is number 0001")


class Index(Checkout):
    def test_a_page_that_is_not_listed(self):
        self.write("docs/more.md", "# More\n")
        self.assert_broken(checks.index, "more.md is not listed")


class Problems(Checkout):
    def test_a_code_without_a_heading_and_a_row(self):
        self.write("shared/runtime/src/problem.rs", PROBLEM_RS.replace("RouteNotFound,", "RouteNotFound,\n    HoldExpired,"))
        self.assertEqual(
            self.findings(checks.problems),
            ["docs/problems.md: HOLD_EXPIRED has no heading", "docs/problems.md: HOLD_EXPIRED has no row"],
        )

    def test_a_heading_without_a_code(self):
        self.write("docs/problems.md", (self.root / "docs/problems.md").read_text() + "## NONSENSE\n")
        self.assert_broken(checks.problems, "no answer has the code NONSENSE")


class NamedCommands(Checkout):
    def test_those_that_are_there(self):
        self.page(
            "    make test && make help\n\n```sh\nA=1 python3 scripts/test.py --all | boxoffice reconcile\n"
            "cargo run -p boxoffice-cli -- dead-letters redrive relay-dead-letters --as ada # and boxoffice nonsense\n```\n"
            "It takes minutes to make sense of `boxoffice <command> --help`, and `make test` is quick.\n"
        )
        self.assertEqual(self.findings(checks.named_commands), [])

    def test_a_target_in_an_indented_block(self):
        self.page("Do this:\n\n    make nonsense\n")
        self.assert_broken(checks.named_commands, "page.md:3", "no target nonsense")

    def test_a_target_behind_another_in_a_fence(self):
        self.page("```sh\nmake test && TARGET=x make nonsense\n```\n")
        self.assert_broken(checks.named_commands, "no target nonsense")

    def test_a_script(self):
        self.page("    python3 scripts/nothing.py --help\n")
        self.assert_broken(checks.named_commands, "there is no scripts/nothing.py")

    def test_a_command(self):
        self.page("```sh\nboxoffice nonsense\n```\n")
        self.assert_broken(checks.named_commands, "boxoffice has no command nonsense")

    def test_a_command_of_a_command_over_two_lines(self):
        self.page("```sh\ncargo run -p boxoffice-cli -- \\\n  dead-letters destroy\n```\n")
        self.assert_broken(checks.named_commands, "boxoffice dead-letters has no command destroy")

    def test_an_option(self):
        self.page("Call `boxoffice dead-letters list --stack x --force`.\n")
        self.assert_broken(checks.named_commands, "no option --force")

    def test_blocks_of_other_languages_are_no_commands(self):
        self.page("```json\nmake nonsense\n```\n\n```text\nboxoffice nonsense\n```\n")
        self.assertEqual(self.findings(checks.named_commands), [])


class Places(Checkout):
    def test_a_file_that_is_not_there(self):
        self.page("Enforced in `functions/tickets/src/nothing.rs`.\n")
        self.assert_broken(checks.places, "there is no functions/tickets/src/nothing.rs")

    def test_a_function_that_is_not_there(self):
        self.page("`functions/tickets/src/store.rs::get` and `functions/tickets/src/store.rs::put`\n")
        self.assert_broken(checks.places, "functions/tickets/src/store.rs has no put")


class Diagrams(Checkout):
    def test_a_type_that_mermaid_has_not(self):
        self.page("```mermaid\n%% a comment\nsequencediagram\n```\n")
        self.assert_broken(checks.diagrams, "page.md:2", "'sequencediagram'")

    def test_an_empty_one(self):
        self.page("```mermaid\n```\n")
        self.assert_broken(checks.diagrams, "''")

    def test_a_fence_without_an_end(self):
        self.page("text\n\n```mermaid\nflowchart LR\n")
        self.assert_broken(checks.diagrams, "page.md:3", "never closed")


class SagaStates(Checkout):
    def test_a_state_that_the_machine_has_not(self):
        self.write("docs/sequences.md", "```mermaid\nsequenceDiagram\n  Note over Saga: Claim Saga → Verify Hold → Check Seats\n```\n")
        self.assert_broken(checks.saga_states, "docs/sequences.md:3", "'Check Seats'")

    def test_a_state_that_no_diagram_has(self):
        self.write("docs/sequences.md", "```mermaid\nsequenceDiagram\n  Note over Saga: Claim Saga\n```\n")
        self.assert_broken(checks.saga_states, "Verify Hold")


class Voice(Checkout):
    def test_a_phrase_that_reads_as_if_translated_is_refused(self):
        self.page("Events, said again.\n")
        self.assert_broken(checks.voice, "page.md:1", "write replayed")

    def test_comments_in_code_count(self):
        self.write("functions/a/src/lib.rs", "//! Begins the undoing of a booking.\n")
        self.assert_broken(checks.voice, "functions/a/src/lib.rs:1", "write the compensation")

    def test_a_comment_begins_with_its_subject(self):
        for opening in ("What", "Who", "Whose", "Which", "Of"):
            self.write("functions/a/src/lib.rs", f"/// {opening} the booking is.\n")
            self.assert_broken(checks.voice, "functions/a/src/lib.rs:1", "begins with its subject")

    def test_seats_that_go_from_held_to_sold_are_no_phrase(self):
        self.page("Seats went from held to sold.\n")
        self.assertEqual(list(checks.voice(self.root)), [])


class Repository(Checkout):
    def test_an_address_in_another_repository_is_noticed(self):
        self.write("infra/alarms.yaml", "Default: https://github.com/other/house/blob/main/docs/runbooks\n")
        self.assert_broken(checks.repository, "infra/alarms.yaml:1", "is not https://github.com/one/house")

    def test_the_stated_address_and_those_of_other_projects_are_fine(self):
        self.page("https://github.com/one/house/blob/main/docs/problems.md https://github.com/stripe/openapi/blob/master/README.md\n")
        self.assertEqual(self.findings(checks.repository), [])


class LogMessages(Checkout):
    PAGE = "## One line an invocation\n\n| Message |\n|---|\n| `request` |\n\n## When something is wrong\n\n| Level | Message |\n|---|---|\n| ERROR | `store broken` |\n"

    def setUp(self):
        super().setUp()
        self.write("docs/LOGGING.md", self.PAGE)
        self.write("shared/a/src/lib.rs", 'fn log() { tracing::info!("request"); tracing::error!(cause, "store broken"); }\n')

    def test_messages_that_are_written_and_explained_are_fine(self):
        self.assertEqual([], list(checks.log_messages(self.root)))

    def test_a_message_that_no_program_writes_is_found(self):
        self.write("docs/LOGGING.md", self.PAGE.replace("`store broken`", "`store lost`, `store broken`"))
        self.assert_broken(checks.log_messages, "docs/LOGGING.md:11", "no program writes 'store lost'")

    def test_an_error_that_is_not_explained_is_found(self):
        self.write("functions/b/src/lib.rs", 'fn log() {\n    tracing::error!(%error, "the page does not render");\n}\n')
        self.assert_broken(checks.log_messages, "functions/b/src/lib.rs:2", "does not explain 'the page does not render'")

    def test_an_error_of_a_test_needs_no_explanation(self):
        self.write("functions/b/src/lib.rs", '#[cfg(test)]\nmod tests { fn log() { tracing::error!("on purpose"); } }\n')
        self.assertEqual([], list(checks.log_messages(self.root)))


class Pauses(Checkout):
    def test_product_code_that_sleeps_is_refused(self):
        self.write("functions/a/src/lib.rs", "async fn wait() {\n    tokio::time::sleep(PAUSE).await;\n}\n")
        self.assert_broken(checks.pauses, "functions/a/src/lib.rs:2", "sleeps")

    def test_tests_and_comments_may_speak_of_it(self):
        self.write("functions/a/tests/store/main.rs", "tokio::time::sleep(PAUSE).await;\n")
        self.write("functions/a/src/lib.rs", "// sleep() is refused here.\n")
        self.assertEqual(list(checks.pauses(self.root)), [])


class Current(Checkout):
    def test_a_schema_that_was_changed(self):
        schema = json.loads(json.dumps(SCHEMA))
        schema["properties"]["data"]["properties"]["quantity"]["maximum"] = 9
        self.write("events/TicketCreated.schema.json", json.dumps(schema))
        self.assert_broken(checks.current, "docs/events.md", "out of date")

    def test_a_rule_that_was_changed(self):
        self.write("template.yaml", TEMPLATE.replace("[TicketCreated]", "[TicketConfirmed]"))
        self.assert_broken(checks.current, "docs/events.md", "out of date")

    def test_a_parameter_that_was_changed(self):
        self.write("template.yaml", TEMPLATE.replace("Default: 600", "Default: 900"))
        self.assert_broken(checks.current, "docs/deploying.md", "out of date")

    def test_a_rule_that_cannot_be_read_is_no_guess(self):
        self.write("template.yaml", TEMPLATE.replace("source: [boxoffice.tickets]", "source: [boxoffice.tickets]\n              account: [1]"))
        self.assert_broken(checks.current, "docs/events.md", "account")

    def test_an_event_of_no_context(self):
        self.write("functions/tickets/src/events.rs", 'const CONTEXT: &\'static str = "tickets";\n')
        self.assert_broken(checks.current, "TicketCreated is stated by no context")

    def test_a_sample_that_is_missing(self):
        (self.root / "events/TicketCreated.sample.json").unlink()
        self.assert_broken(checks.current, "TicketCreated.sample.json is missing")


class Catalogue(Checkout):
    def test_an_event_is_described(self):
        page = generated.catalogue(self.root)
        self.assertIn("| source | `boxoffice.tickets` |", page)
        self.assertIn("| consumers | `booking-saga`, when `by` is `REQUEST`; `project-events`, from the event store's stream |", page)
        self.assertIn("| `ticketId` | `tkt_…` | The booking. |", page)
        self.assertIn("| `quantity` | optional; integer, 1 to 1,000 |  |", page)

    def test_a_parameter_is_described(self):
        table = generated.parameters(self.root)
        self.assertIn("**Booking**", table)
        self.assertIn("| `HoldSeconds` | `600` | 5 to 86400 | How long seats are held. |", table)
        self.assertIn("**The rest**", table)
        self.assertIn("| `Environment` | empty | any text | Names the stage. |", table)


class Yaml(unittest.TestCase):
    def test_template_syntax_is_read(self):
        text = """
        # a comment
        A::B:
          list:
          - one # and a comment
          - { k: "v # no comment", l: [1, true, !Ref X] }
          - key: value
            other: !Sub
              - arn:${AWS::Region}:x
              - Name: y
          folded: >-
            two
            lines
          flow: [a,
            b]
          empty:
        """
        text = "\n".join(line[8:] for line in text.splitlines())
        self.assertEqual(
            template_yaml.parse(text),
            {
                "A::B": {
                    "list": [
                        "one",
                        {"k": "v # no comment", "l": [1, True, "X"]},
                        {"key": "value", "other": ["arn:${AWS::Region}:x", {"Name": "y"}]},
                    ],
                    "folded": "two lines",
                    "flow": ["a", "b"],
                    "empty": None,
                }
            },
        )

    def test_unknown_yaml_is_an_error(self):
        for text in ("a: [b", "a: {b: c}}", "a: 'b", "a: 1\na: 2", "a: b: c", "a: 1\n  b: 2"):
            with self.subTest(text), self.assertRaises(template_yaml.Unreadable):
                template_yaml.parse(text)


if __name__ == "__main__":
    unittest.main()
