"""The rules of the deployment guide, on a small guide that keeps them, and with one fault planted at a time.

    python3 -m unittest discover -s scripts/tests
"""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

import docs_deploying as deploying  # noqa: E402

TEMPLATE = """
Parameters:
  Environment:
    Type: String
    Default: dev
    AllowedPattern: "[a-z]+"
    Description: Names the stage.
  KeepData:
    Type: String
    Default: "true"
    AllowedValues: ["true", "false"]
    Description: Whether tables outlive the stack.
  HoldSeconds:
    Type: Number
    Default: 600
    MinValue: 5
    MaxValue: 86400
    Description: How long seats are held.
  AlarmTopicArn:
    Type: String
    AllowedPattern: none|arn:.+
    Description: The topic.
Resources:
  # ses:SendEmail, sns:Publish
"""
SAMCONFIG = """
version = 0.1

[local.deploy.parameters]
stack_name = "boxoffice-local"
parameter_overrides = ["Environment=local", "AlarmTopicArn=none"]

[dev.deploy.parameters]
stack_name = "boxoffice-dev"
parameter_overrides = ["Environment=dev", "KeepData=false", "AlarmTopicArn=none"]

[prod.deploy.parameters]
stack_name = "boxoffice"
parameter_overrides = ["Environment=prod"]
"""
PINNED = "aws-sam-cli==1.170.0\ncargo-lambda==1.9.2\nziglang==0.17.1\n"
GUIDE = """# Deploying

## Before

| the [AWS CLI](https://aws) 2, the [SAM CLI](https://sam) 1.170 or later | deploying |
| [rustup](https://rustup), [cargo-lambda](https://cargo-lambda) 1.9 with [Zig](https://zig), the target aarch64-unknown-linux-gnu | building |

```sh
export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1
eval "$(aws configure export-credentials --format env)"
```

```sh
read -rs STRIPE_SECRET_KEY
aws ssm put-parameter --name /boxoffice/dev/stripe-secret-key --value "$STRIPE_SECRET_KEY"
cargo run -p boxoffice-cli -- keys create --environment dev
export RUSTFLAGS=-Cforce-unwind-tables=no
cargo lambda build --release --arm64 --bins
sam build --config-env dev
sam deploy --config-env dev
```

```sh
API=$(aws cloudformation describe-stacks --stack-name boxoffice-dev --output text)
curl -s "$API/health"
```

For production write `AlarmTopicArn=…` down.

```sh
sam deploy --config-env prod
```

A new account's SES is in its sandbox (https://docs/request-production-access). SNS has **a spending limit of 1 USD a month** (https://docs/channels-sms-awssupport-spend-threshold):
over it a message is SENT, and nothing arrives.

## Upgrading

```sh
git checkout <the version before>
sam build --config-env dev
sam deploy --config-env dev
sam deploy --config-env dev --parameter-overrides HoldSeconds=60 KeepData=false
```
"""


class Guide(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "docs").mkdir()
        (self.root / "template.yaml").write_text(TEMPLATE)
        (self.root / "samconfig.toml").write_text(SAMCONFIG)
        (self.root / deploying.PINNED).parent.mkdir(parents=True)
        (self.root / deploying.PINNED).write_text(PINNED)
        (self.root / "docs/deploying.md").write_text(GUIDE)

    def plant(self, place, before, after):
        page = (self.root / place).read_text()
        self.assertIn(before, page, "the fault cannot be planted")
        (self.root / place).write_text(page.replace(before, after, 1))

    def findings(self):
        return [str(finding) for rule in deploying.RULES for finding in rule(self.root)]

    def finds(self, what):
        found = self.findings()
        self.assertTrue(any(what in finding for finding in found), f"nothing of {what!r} in {found}")

    def test_a_guide_that_keeps_the_rules_has_no_finding(self):
        self.assertEqual(self.findings(), [])
        calls, stopped = deploying.walk(self.root)
        self.assertIsNone(stopped)
        # Each command was called once, in its order, with what the ones before it left.
        self.assertEqual([" ".join(call.words[:3]) for call in calls][:4], [
            "aws configure export-credentials", "aws ssm put-parameter", "cargo run -p", "cargo lambda build",
        ])
        self.assertEqual(calls[1].option("--value"), "sk_test_walk")
        self.assertEqual(len([call for call in calls if call.begins("sam", "deploy")]), 4)

    def test_a_guide_that_says_one_region_only_is_refused(self):
        self.plant("docs/deploying.md", "export AWS_REGION=eu-central-1 AWS_DEFAULT_REGION=eu-central-1", "export AWS_REGION=eu-central-1")
        self.finds("sam deploy --config-env dev: AWS_REGION is eu-central-1 and AWS_DEFAULT_REGION not set")

    def test_a_guide_that_says_two_regions_is_refused(self):
        self.plant("docs/deploying.md", "AWS_DEFAULT_REGION=eu-central-1", "AWS_DEFAULT_REGION=us-east-1")
        self.finds("AWS_REGION is eu-central-1 and AWS_DEFAULT_REGION us-east-1")

    def test_a_first_deployment_with_other_parameters_than_the_upgrade_is_refused(self):
        self.plant("docs/deploying.md", "sam deploy --config-env dev\n```", "sam deploy --config-env dev --parameter-overrides Environment=dev\n```")
        self.finds("the first deployment of an environment names parameters")

    def test_an_upgrade_by_another_command_than_the_first_deployment_is_refused(self):
        self.plant("docs/deploying.md", "before>\nsam build --config-env dev\nsam deploy --config-env dev", "before>\nsam build --config-env dev\nsam deploy --config-env dev --guided")
        self.finds("an upgrade is another command than the first deployment")

    def test_a_command_that_names_no_parameter_of_the_template_is_refused(self):
        self.plant("docs/deploying.md", "HoldSeconds=60", "HoldMinutes=1")
        self.finds("the template has no parameter HoldMinutes")

    def test_a_parameter_that_the_template_lost_is_noticed_in_samconfig(self):
        self.plant("template.yaml", "  KeepData:\n", "  KeepTables:\n")
        self.finds("samconfig.toml: dev: the template has no parameter KeepData")

    def test_a_value_that_the_template_refuses_is_noticed(self):
        for place, before, after, what in (
            ("docs/deploying.md", "KeepData=false", "KeepData=no", "KeepData may not be no"),
            ("docs/deploying.md", "HoldSeconds=60", "HoldSeconds=1", "HoldSeconds may not be 1"),
            ("samconfig.toml", "Environment=prod", "Environment=PROD", "prod: Environment may not be PROD"),
            ("docs/deploying.md", "`AlarmTopicArn=…`", "`AlarmTopicArn=…` or `AlarmTopicArn=mail`", "AlarmTopicArn may not be mail"),
        ):
            with self.subTest(after):
                self.setUp()
                self.plant(place, before, after)
                self.finds(what)

    def test_a_required_parameter_that_nobody_gives_is_noticed(self):
        self.plant("docs/deploying.md", "`AlarmTopicArn=…`", "the topic")
        self.finds("prod: AlarmTopicArn must be given, and neither this file nor docs/deploying.md gives it")

    def test_another_stack_or_environment_than_samconfigs_is_refused(self):
        self.plant("samconfig.toml", 'stack_name = "boxoffice-dev"', 'stack_name = "tickets-dev"')
        self.finds("samconfig.toml has no stack boxoffice-dev")
        self.plant("docs/deploying.md", "sam deploy --config-env prod", "sam deploy --config-env production")
        self.finds("samconfig.toml has no environment production")
        self.finds("no command deploys prod")

    def test_a_deployment_before_its_secrets_or_its_build_is_refused(self):
        self.plant("docs/deploying.md", "/boxoffice/dev/stripe-secret-key", "/boxoffice/prod/stripe-secret-key")
        self.finds("it comes before the secrets that it needs")
        self.plant("docs/deploying.md", "sam build --config-env dev", "sam build --config-env prod")
        self.finds("it comes before its build")

    def test_builds_with_other_flags_are_refused(self):
        self.plant("docs/deploying.md", "export RUSTFLAGS=-Cforce-unwind-tables=no\n", "")
        self.finds("RUSTFLAGS is not set")

    def test_a_prerequisite_that_the_guide_leaves_out_is_noticed(self):
        for before, what in (
            ("[Zig](https://zig)", "cargo lambda needs Zig, which 'Before' does not name"),
            ("[AWS CLI]", "aws needs AWS CLI"),
            ("the target aarch64-unknown-linux-gnu", "--arm64 needs the target aarch64-unknown-linux-gnu"),
        ):
            with self.subTest(before):
                self.setUp()
                self.plant("docs/deploying.md", before, "")
                self.finds(what)

    def test_a_version_that_parts_from_the_pinned_one_is_noticed(self):
        self.plant(deploying.PINNED, "cargo-lambda==1.9.2", "cargo-lambda==2.0.0")
        self.finds("'Before' names cargo-lambda 1.9, and localstack/requirements/tools.txt has 2.0")
        self.plant(deploying.PINNED, "ziglang==0.17.1\n", "")
        self.finds("cargo-lambda is there without ziglang")

    def test_a_limit_of_new_accounts_that_the_guide_leaves_out_is_noticed(self):
        self.plant("docs/deploying.md", "a spending limit of 1 USD a month", "a limit")
        self.finds("sns:Publish: nothing says 'spending limit of 1 USD a month' of a new account")
        self.setUp()
        self.plant("docs/deploying.md", "sandbox", "cellar")
        self.finds("ses:SendEmail: nothing says 'sandbox' of a new account")
        # A template that sends no text messages needs no word on them.
        self.setUp()
        self.plant("docs/deploying.md", "a spending limit of 1 USD a month", "a limit")
        self.plant("template.yaml", ", sns:Publish", "")
        self.assertEqual(self.findings(), [])

    def test_a_walk_ends_at_a_variable_that_nothing_sets_and_at_a_program_without_a_stand_in(self):
        self.plant("docs/deploying.md", '"$API/health"', '"$URL/health"')
        self.finds("the walk ends after this")
        self.setUp()
        self.plant("docs/deploying.md", "git checkout", "rm -r .aws-sam\ngit checkout")
        self.finds("rm: No such file or directory")


if __name__ == "__main__":
    unittest.main()
