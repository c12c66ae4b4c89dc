"""The decisions of the local stack's commands: which LocalStack a machine can run, when to give up on a deployment, which target a file belongs to."""

import contextlib
import os
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import checkout  # noqa: E402, F401 (finds boxoffice_local)
import platform_report  # noqa: E402
from boxoffice_local import console, deployment, processes, settings, targets  # noqa: E402
from boxoffice_local.console import StepFailed  # noqa: E402


class Pythons(unittest.TestCase):
    """Programs that answer as a Python of some version would, and one that fails, as a shim of pyenv does where its version is not selected."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        targets.release_for.cache_clear()
        targets.host_release.cache_clear()
        self.addCleanup(targets.release_for.cache_clear)
        self.addCleanup(targets.host_release.cache_clear)

    def program(self, place: str, script: str) -> str:
        file = self.folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o700)
        return str(file)

    def python(self, place: str, version: str) -> str:
        return self.program(place, f'echo "{self.folder / place}" {version}')

    def release(self, **environment: str):
        with mock.patch.dict(os.environ, {"PATH": str(self.folder / "bin"), "PYENV_ROOT": str(self.folder / "pyenv"), **environment}, clear=True):
            return targets.host_release()

    def test_python_3_13_gets_the_newest_release(self):
        self.python("bin/python3", "3 11")
        self.python("bin/python3.13", "3 13")
        self.assertEqual((self.release().version, self.release().python), ("4.14.0", str(self.folder / "bin/python3.13")))

    def test_a_shim_that_fails_is_passed_over_for_what_pyenv_keeps(self):
        self.python("bin/python3", "3 11")
        self.program("bin/python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
        kept = self.python("pyenv/versions/3.13.0/bin/python", "3 13")
        self.assertEqual((self.release().version, self.release().python), ("4.14.0", kept))

    def test_python_3_11_gets_the_last_release_that_it_can_parse(self):
        self.python("bin/python3", "3 11")
        self.assertEqual(self.release().version, "4.12.0")
        self.assertTrue(self.release().requirements.exists())

    def test_a_python_that_is_too_old_gets_none(self):
        self.python("bin/python3", "3 10")
        self.assertIsNone(self.release())

    def test_the_setting_chooses_the_python(self):
        self.python("bin/python3.13", "3 13")
        chosen = self.python("elsewhere/python", "3 12")
        self.assertEqual(self.release(BOXOFFICE_LOCALSTACK_PYTHON=chosen).version, "4.12.0")


class Places(unittest.TestCase):
    def test_two_targets_share_no_port_and_no_file(self):
        one, other = settings.PLACES["embedded"], settings.PLACES["localstack"]
        for name in ("state", "logs", "run", "stack_file", "api_url_file", "aws_port", "payments_port", "aws_endpoint"):
            with self.subTest(name):
                self.assertNotEqual(getattr(one, name), getattr(other, name))
        self.assertNotEqual(deployment.deployed(one), deployment.deployed(other))

    def test_forgetting_one_deployment_leaves_the_other(self):
        with tempfile.TemporaryDirectory() as folder:
            places = [settings.Place(name, Path(folder) / name, "", 1, 2) for name in ("this-test-one", "this-test-other")]
            for place in places:
                place.state.mkdir()
                place.stack_file.write_text("{}")
            deployment.forget(places[0])
            self.assertEqual([place.stack_file.exists() for place in places], [False, True])


    def test_stopping_a_place_ends_what_it_started_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            places = [settings.Place(name, Path(folder) / name, "", 1, 2) for name in ("one", "other")]
            servers = [processes.Server("sleeper", ["sleep", "600"], 9, "", lambda: True, place=place) for place in places]
            for place, server in zip(places, servers):
                place.run.mkdir(parents=True)
                with mock.patch.object(processes, "refuse_taken_port"), mock.patch.object(processes, "step", lambda _: contextlib.nullcontext()):
                    server.start()
                self.addCleanup(server.stop)
            self.assertTrue(processes.stop_all(places[0]))
            self.assertEqual([server.is_running() for server in servers], [False, True])
            self.assertFalse(processes.stop_all(places[0]))
            processes.stop_all(places[1])


class Docker(unittest.TestCase):
    """Docker's mode, with a program in Docker's place that notes its arguments: which commands it gets, and that they fit the compose file."""

    COMPOSE_FILE = settings.HERE / "docker-compose.yml"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.calls = Path(folder.name) / "calls"
        docker = Path(folder.name) / "docker"
        docker.write_text(
            f'#!/bin/sh\necho "$BOXOFFICE_LOCALSTACK_PORT $*" >> "{self.calls}"\n'
            """case "$*" in *"inspect bridge"*) echo '[{"IPAM": {"Config": [{"Gateway": "172.17.0.1"}]}}]' ;; esac\n"""
        )
        docker.chmod(0o700)
        path = mock.patch.dict(os.environ, {"PATH": f"{folder.name}{os.pathsep}{os.environ['PATH']}"})
        path.start()
        self.addCleanup(path.stop)
        self.compose = self.COMPOSE_FILE.read_text()

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()

    def test_starting_waits_for_the_health_that_the_compose_file_asks_for(self):
        with mock.patch.object(targets, "answers", return_value=False), mock.patch.object(targets, "run_logged") as run:
            self.assertTrue(targets.DockerLocalStack().ensure())
        command, environment = run.call_args.args[1], run.call_args.kwargs["env"]
        self.assertEqual(command, ["docker", "compose", "--file", str(self.COMPOSE_FILE), "up", "--detach", "--wait"])
        self.assertIn("healthcheck:", self.compose)
        self.assertEqual(environment["BOXOFFICE_LOCALSTACK_PORT"], str(settings.PLACES["localstack"].aws_port))

    def test_the_check_for_running_services_uses_the_same_port(self):
        self.assertFalse(targets.DockerLocalStack().is_running())
        port = settings.PLACES["localstack"].aws_port
        self.assertEqual(self.called(), [f"{port} compose --file {self.COMPOSE_FILE} ps --quiet --status running"])

    def test_the_image_is_the_release_that_the_host_mode_runs(self):
        self.assertIn(f"image: localstack/localstack:{targets.DockerLocalStack.version}\n", self.compose)
        self.assertEqual(targets.DockerLocalStack.version, targets.NEWEST)

    def test_the_port_is_loopback_and_defaults_to_the_settings(self):
        ports = re.findall(r'- "([^"]+):4566"', self.compose)
        self.assertEqual(ports, ["127.0.0.1:${BOXOFFICE_LOCALSTACK_PORT:-4666}"])

    def test_functions_reach_the_payment_server_by_a_name_that_both_kinds_of_container_know(self):
        host = re.match(r"http://([^:]+):", targets.DockerLocalStack.payments_url)[1]
        self.assertIn(f'- "{host}:host-gateway"', self.compose)
        self.assertIn(f'LAMBDA_DOCKER_FLAGS: "--add-host={host}:host-gateway"', self.compose)
        with mock.patch.object(targets.platform, "system", return_value="Linux"):
            self.assertEqual(targets.DockerLocalStack().payments_hosts, ["127.0.0.1", "172.17.0.1"])

    def test_every_file_that_is_mounted_is_there_and_sets_the_secrets_of_the_settings(self):
        mounted = re.findall(r'- "(\./[^:]+):', self.compose)
        self.assertEqual(mounted, ["./init/ready.d"])
        hook = (settings.HERE / "init/ready.d/10-payment-key.sh").read_text()
        for value in (settings.STRIPE_KEY_PARAMETER, settings.STRIPE_KEY, settings.STRIPE_WEBHOOK_SECRETS_PARAMETER, settings.STRIPE_WEBHOOK_SECRET):
            self.assertIn(value, hook)


class Reports(unittest.TestCase):
    def test_a_part_that_was_left_out_is_listed_once_under_its_reason(self):
        notes = [{"ability": "It hears", "leftOut": "a sound"}] * 2 + [{"ability": "It hears", "leftOut": "a word"}]
        found = platform_report.report([("It sees", True, "colours"), ("It speaks", False, "a greeting"), ("It walks", None, "a step (Error: no legs)")], notes)
        for line in (
            "| It sees | yes |  |", "| It speaks | no | a greeting |", "| It walks | could not be tried | a step (Error: no legs) |",
            "- Not there: It hears\n  - a sound\n  - a word\n",
        ):
            self.assertIn(line, found)

    def test_a_run_that_left_nothing_out_says_so(self):
        self.assertIn("Nothing.", platform_report.report([], []))


class Deadlines(unittest.TestCase):
    def patience(self, *statuses: str, minutes: float = 10) -> deployment.Patience:
        answers = iter(statuses)
        return deployment.Patience(minutes, lambda: next(answers))

    def test_a_deployment_that_goes_on_is_waited_for(self):
        patience = self.patience("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE")
        self.assertEqual([patience.reason_to_give_up(seconds) for seconds in (1, 25, 50, 75)], [None] * 4)

    def test_a_failed_update_is_given_up_when_it_is_seen_twice(self):
        patience = self.patience("UPDATE_IN_PROGRESS", "UPDATE_FAILED", "UPDATE_FAILED")
        self.assertEqual([patience.reason_to_give_up(seconds) for seconds in (25, 50)], [None, None])
        reason = patience.reason_to_give_up(75)
        self.assertIn("UPDATE_FAILED", reason)
        self.assertIn("make reset", reason)

    def test_a_stack_that_an_earlier_update_left_rolled_back_is_updated_again(self):
        patience = self.patience(*["UPDATE_ROLLBACK_COMPLETE"] * 3)
        self.assertEqual([patience.reason_to_give_up(seconds) for seconds in (25, 50, 75)], [None] * 3)

    def test_every_status_that_ends_a_deployment_is_removed_before_the_next(self):
        removed = re.search(r"^DEAD = \{(.*?)\}", (settings.HERE / "aws_calls.py").read_text(), re.MULTILINE | re.DOTALL)[1]
        self.assertLessEqual(deployment.Patience.FAILED, set(re.findall(r'"(\w+)"', removed)))

    def test_the_deadline_says_how_it_stands_and_what_to_do(self):
        reason = self.patience("CREATE_IN_PROGRESS").reason_to_give_up(601)
        for word in ("10 minutes", "CREATE_IN_PROGRESS", "make reset", "BOXOFFICE_DEPLOY_MINUTES"):
            self.assertIn(word, reason)

    def test_progress_counts_what_was_created(self):
        with tempfile.TemporaryDirectory(dir=settings.LOCAL) as folder:
            log = Path(folder) / "sam-deploy.log"
            log.write_text("Uploading to a bucket\n")
            self.assertEqual(deployment.resources_created(log), "Uploading to a bucket")
            log.write_text("CREATE_IN_PROGRESS  AWS::IAM::Role  GetD\n                    ocs\nCREATE_COMPLETE  AWS::IAM::Role  GetD\n          ocs\n")
            self.assertEqual(deployment.resources_created(log), "1 resources created")

    def test_a_command_that_is_given_up_is_ended(self):
        with tempfile.TemporaryDirectory(dir=settings.LOCAL) as folder, mock.patch.object(console, "LOGS", Path(folder)):
            with self.assertRaisesRegex(StepFailed, "sleeping: given up after .* That is long enough"):
                console.run_logged("sleeping", ["sh", "-c", "echo $$; exec sleep 600"], "sleep", env=None, give_up=lambda _: "That is long enough.")
            written = (Path(folder) / "sleep.log").read_text().splitlines()[1:]
            self.assertFalse(any(Path(f"/proc/{process}").exists() for process in written))


if __name__ == "__main__":
    unittest.main()
