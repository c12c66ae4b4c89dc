"""The few AWS calls of the local set-up. Runs in the tools' virtual environment, where boto3 is.

    aws_calls.py prepare [--fresh]        before a deployment; --fresh: no stack is there then
    aws_calls.py status                   the stack's, in CloudFormation's words; nothing where there is none
    aws_calls.py outputs                  the stack's outputs, as JSON
    aws_calls.py logs [--function NAME] [--follow]

Where AWS is comes from the standard environment variables, as for everything else here.
"""

import argparse
import json
import time

import boto3
from botocore.exceptions import ClientError

from boxoffice_local.settings import (
    NOTIFICATION_SENDER, STACK_NAME, STRIPE_KEY, STRIPE_KEY_PARAMETER, STRIPE_WEBHOOK_SECRET, STRIPE_WEBHOOK_SECRETS_PARAMETER,
)

# A stack in one of these can only be deleted: CloudFormation refuses to update it.
DEAD = {
    "CREATE_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED",
}


def prepare(fresh: bool) -> None:
    for name, value in [(STRIPE_KEY_PARAMETER, STRIPE_KEY), (STRIPE_WEBHOOK_SECRETS_PARAMETER, STRIPE_WEBHOOK_SECRET)]:
        boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    # SES sends in the name of verified addresses only; locally one is verified as soon as it is asked for.
    boto3.client("ses").verify_email_identity(EmailAddress=NOTIFICATION_SENDER)
    cloudformation = boto3.client("cloudformation")
    stack = find_stack(cloudformation)
    # Nobody deploys beside us: a deployment that is still under way was left by a command that was ended.
    if stack and (fresh or stack["StackStatus"] in DEAD or stack["StackStatus"].endswith("_IN_PROGRESS")):
        print(f"removing the stack that is there: {stack['StackStatus']}")
        cloudformation.delete_stack(StackName=STACK_NAME)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=STACK_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
        )


def status() -> None:
    stack = find_stack(boto3.client("cloudformation"))
    print(stack["StackStatus"] if stack else "")


def outputs() -> None:
    stack = find_stack(boto3.client("cloudformation"))
    if not stack:
        raise SystemExit(f"there is no stack named {STACK_NAME}")
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}))


def find_stack(cloudformation) -> dict | None:
    try:
        return cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def logs(function: str, follow: bool) -> None:
    """Prints the functions' log lines, oldest first; with `follow`, until interrupted."""
    client = boto3.client("logs")
    shown: set[str] = set()
    since = int((time.time() - 900) * 1000)
    while True:
        events = []
        for group in log_groups(client, function):
            for event in log_events(client, group, since):
                identity = event.get("eventId") or f"{group}{event['timestamp']}{event['message']}"
                if identity not in shown:
                    shown.add(identity)
                    events.append((event["timestamp"], group.rsplit("/", 1)[1], event["message"].rstrip()))
        # By time alone: lines of one millisecond stay in the order they were written.
        for timestamp, name, message in sorted(events, key=lambda event: event[0]):
            moment = time.strftime("%H:%M:%S", time.localtime(timestamp / 1000))
            print(f"{moment} {name:<32} {message}", flush=True)
        if not follow:
            return
        if events:
            since = max(timestamp for timestamp, _, _ in events) - 5000  # late lines of other functions
        time.sleep(1)


def log_groups(client, function: str) -> list[str]:
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/")
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    return [name for name in names if function in name]


def log_events(client, group: str, since: int) -> list[dict]:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    return [event for page in pages for event in page["events"]]


def main() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare").add_argument("--fresh", action="store_true")
    commands.add_parser("status")
    commands.add_parser("outputs")
    log = commands.add_parser("logs")
    log.add_argument("--function", default="")
    log.add_argument("--follow", action="store_true")
    options = parser.parse_args()
    match options.command:
        case "prepare":
            prepare(options.fresh)
        case "status":
            status()
        case "outputs":
            outputs()
        case "logs":
            logs(options.function, options.follow)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
