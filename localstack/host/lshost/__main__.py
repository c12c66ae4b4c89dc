"""`python -m lshost`: sets LocalStack up for a plain host, applies the patches, and runs LocalStack's own entry point.

Reads `LSHOST_HOME` (a folder that is emptied at each start), `LSHOST_MINISTACK` (the program that is its DynamoDB) and `GATEWAY_LISTEN`.
"""

import os
import shutil
import tempfile
from pathlib import Path

# No other service is loaded: a call of one fails at once, instead of giving an answer that nobody has checked.
SERVICES = [
    "apigateway", "cloudformation", "cloudwatch", "dynamodb", "dynamodbstreams", "events", "iam", "kms", "lambda", "logs", "s3", "scheduler", "ses", "sns",
    "sqs", "ssm", "stepfunctions", "sts",
]


def prepare(home: Path, listen: str) -> None:
    """State lives in memory: a start is an empty account, and what an earlier run unpacked is of no use."""
    volume, scratch = home / "volume", home / "tmp"
    for folder in (volume, scratch):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    # Function code is unpacked below the temporary folder; LocalStack objects to TMPDIR being set.
    os.environ.pop("TMPDIR", None)
    tempfile.tempdir = str(scratch)
    os.environ |= {
        "LOCALSTACK_HOST": listen,
        "CONFIG_DIR": str(volume),
        "LOCALSTACK_VOLUME_DIR": str(volume),
        "FILESYSTEM_ROOT": str(volume),
        "SERVICES": ",".join(SERVICES),
        "STRICT_SERVICE_LOADING": "1",
        # The providers that put DynamoDB's work on a process of its own; the others build streams on a Kinesis that is not here.
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
        "DYNAMODB_IN_MEMORY": "1",
        # A function that starts on a busy machine.
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "60",
        # Nothing is asked of, or told to, the network.
        "DNS_ADDRESS": "0",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }


def main() -> None:
    prepare(Path(os.environ["LSHOST_HOME"]), os.environ["GATEWAY_LISTEN"])
    from lshost import patches

    patches.apply()
    from localstack.runtime.main import main as localstack_main

    localstack_main()


if __name__ == "__main__":
    main()
