"""Patches that LocalStack needs to run on a plain host. Each one is local and guarded."""

import _thread
import os
import shutil
import sys
import threading
import time
import types


def apply() -> None:
    _allow_lock_annotation()
    _run_functions_as_processes()
    _make_key_material_ids()
    _use_ministack_for_dynamodb()
    _evaluate_jsonata_in_python()
    _take_conditions_in_policies()
    _shorten_pauses_between_retries(float(os.environ.get("SFN_WAIT_SCALE", "1")))


def _allow_lock_annotation() -> None:
    """localstack.packages.api annotates a parameter with `Lock | None`, evaluated at import time.

    threading.Lock is a factory function before Python 3.13, so the import raises TypeError there.
    Stand in a class for the length of that one import.
    """
    if isinstance(threading.Lock, type):
        return
    original = threading.Lock

    class Lock:
        def __new__(cls):
            return _thread.allocate_lock()

    threading.Lock = Lock
    try:
        import localstack.packages.api  # noqa: F401
    finally:
        threading.Lock = original


def _run_functions_as_processes() -> None:
    """LocalStack looks its executor up among installed plugins, of which Docker's is the only one of the community's."""
    from localstack.services.lambda_.invocation import runtime_executor

    def executor() -> type[runtime_executor.RuntimeExecutor]:
        from lshost.executor import ProcessExecutor

        return ProcessExecutor

    # Before anything takes the original by name.
    runtime_executor.get_runtime_executor = executor


def _make_key_material_ids() -> None:
    """KMS hands bytes to uuid.uuid5, which takes text alone before Python 3.12, so no key could be made."""
    if sys.version_info >= (3, 12):
        return
    import uuid

    from localstack.services.kms.models import KmsKey

    def material_id(self: KmsKey, key_material: bytes) -> str:
        return uuid.uuid5(self._internal_key_id, key_material.hex()).hex * 2

    KmsKey.generate_key_material_id = material_id


def _use_ministack_for_dynamodb() -> None:
    """Put ministack (MIT) where LocalStack's v2 providers expect Amazon's DynamoDB Local.

    The providers stay LocalStack's own: only the process they start, and what they do for that process's
    sake, change. DynamoDB Local knows no account and no region, so LocalStack folds both into the access
    key and mends ARNs; ministack takes the account from a 12-digit access key and answers with real ARNs.
    """
    from localstack.services.dynamodb import utils
    from localstack.services.dynamodb.server import DynamodbServer
    from localstack.services.dynamodb.v2 import provider as tables
    from localstack.services.dynamodbstreams.v2 import provider as streams
    from localstack.utils.common import TMP_THREADS, ShellCommandThread

    program = os.environ.get("LSHOST_MINISTACK", "")
    if not os.access(program, os.X_OK):
        sys.exit("lshost: LSHOST_MINISTACK must name the ministack program")
    scratch = os.path.join(os.environ["CONFIG_DIR"], "ministack")
    # setpriv makes the process end with LocalStack, even when LocalStack is killed.
    wrapper = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

    def start_process(self: DynamodbServer) -> ShellCommandThread:
        os.makedirs(scratch, exist_ok=True)
        thread = ShellCommandThread(
            wrapper + [program],
            outfile=os.path.join(scratch, "ministack.log"),
            auto_restart=True,
            name="dynamodb-ministack",
            inherit_env=False,
            inherit_cwd=False,
            cwd=scratch,
            env_vars={
                "PATH": os.defpath,
                "HOME": scratch,
                "TMPDIR": scratch,
                "SERVICES": "dynamodb,dynamodbstreams",
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "S3_DATA_DIR": os.path.join(scratch, "s3"),
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "LOG_LEVEL": "WARNING",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
        )
        TMP_THREADS.append(thread)
        thread.start()
        return thread

    DynamodbServer.do_start_thread = start_process

    def access_key(account_id: str, region_name: str) -> str:
        return account_id

    utils.get_ddb_access_key = tables.get_ddb_access_key = access_key
    streams.DynamoDBStreamsProvider.modify_stream_arn_for_ddb_local = lambda self, stream_arn: stream_arn


def _evaluate_jsonata_in_python() -> None:
    """LocalStack evaluates JSONata by a Java library that it downloads from Maven; here `jsonata-python` does.

    Both are ports of jsonata-js. LocalStack's own part is unchanged: it writes $states and the variables
    into the expression's text as declarations, and asks `$exists(…)` when the result is null.
    """
    from jsonata import Jsonata
    from localstack.services.stepfunctions.asl.jsonata import jsonata as module

    def evaluate(expression: str):
        try:
            return _plain(Jsonata(expression).evaluate(None))
        except Exception as problem:
            code = getattr(problem, "error", None)
            raise module.JSONataException("UNKNOWN", f"{code}: {problem}" if code else str(problem)) from problem

    module._eval_jsonata = evaluate


def _take_conditions_in_policies() -> None:
    """4.12.0 raises on `Fn::If` in DeletionPolicy and UpdateReplacePolicy, values that it then has no use for. 4.14.0 takes them, by these very lines."""
    from localstack.services.cloudformation.engine.v2.change_set_model import ChangeSetModel

    def visit(self: ChangeSetModel, scope, before, after):
        return self._visit_value(scope=scope, before_value=before, after_value=after)

    ChangeSetModel._visit_deletion_policy = ChangeSetModel._visit_update_replace_policy = visit


def _shorten_pauses_between_retries(scale: float) -> None:
    """An undo that is retried for minutes is done in seconds, as on the embedded emulator with the same variable. Time limits are not scaled."""
    from localstack.services.stepfunctions.asl.component.common.retry import retrier_decl

    retrier_decl.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * scale))


def _plain(value):
    """Plain dicts, lists and numbers, as the Java bridge's JSON round trip would return them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return None  # jsonata's own null
