"""The decisions of the release, coverage and mutation scripts, without building anything."""

import re
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import coverage  # noqa: E402
import mutants  # noqa: E402
import release  # noqa: E402
import reproduce  # noqa: E402
from checkout import ROOT  # noqa: E402
from boxoffice_local import programs  # noqa: E402
from boxoffice_local.console import StepFailed  # noqa: E402


class Packaging(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def built(self, name: str, **programs: bytes) -> Path:
        for program, content in programs.items():
            (self.folder / name / program).mkdir(parents=True)
            (self.folder / name / program / release.PROGRAM).write_bytes(content)
        return self.folder / name

    def packed(self, built: Path, *names: str) -> dict[str, str]:
        return release.package(built, self.folder / f"{built.name}-release", list(names))

    def test_the_same_programs_make_the_same_zips_at_another_time_in_another_place(self):
        first = self.packed(self.built("first", a=b"one" * 999, b=b"two"), "a", "b")
        later = self.built("second-elsewhere", b=b"two", a=b"one" * 999)
        (later / "a" / release.PROGRAM).chmod(0o600)
        self.assertEqual(first, self.packed(later, "b", "a"))
        self.assertEqual(reproduce.differences(first, first), [])

    def test_another_program_makes_another_zip_and_is_named(self):
        first = self.packed(self.built("first", a=b"one", b=b"two"), "a", "b")
        second = self.packed(self.built("second", a=b"one", b=b"three"), "a", "b")
        self.assertEqual(reproduce.differences(first, second), ["functions/b.zip", "functions/b.zip:bootstrap"])

    def test_a_program_that_one_build_lacks_is_a_difference(self):
        first = self.packed(self.built("first", a=b"one", b=b"two"), "a", "b")
        self.assertIn("functions/b.zip", reproduce.differences(first, self.packed(self.built("second", a=b"one"), "a")))

    def test_lambda_can_start_what_is_in_the_zip(self):
        self.packed(self.built("first", a=b"one"), "a")
        with zipfile.ZipFile(self.folder / "first-release/functions/a.zip") as archive:
            [entry] = archive.infolist()
            self.assertEqual((entry.filename, entry.external_attr >> 16, entry.date_time), ("bootstrap", 0o100755, release.EPOCH))
            self.assertEqual(archive.read(entry), b"one")

    def test_a_function_that_was_not_built_fails(self):
        with self.assertRaises(StepFailed):
            self.packed(self.built("first", a=b"one"), "a", "missing")

    def test_sums_are_those_that_sha256sum_reads(self):
        hashes = self.packed(self.built("first", a=b"one"), "a")
        folder = self.folder / "first-release"
        release.write_sums(folder, hashes)
        self.assertEqual((folder / "SHA256SUMS").read_text(), f"{release.sha256((folder / 'functions/a.zip').read_bytes())}  functions/a.zip\n")

    def test_the_archive_is_the_same_from_another_folder(self):
        built = self.built("first", a=b"one")
        archives = []
        for name in ("here", "there"):
            release.package(built, self.folder / name, ["a"])
            release.bundle(self.folder / name, self.folder / f"{name}.tar")
            archives.append((self.folder / f"{name}.tar").read_bytes())
        self.assertEqual(*archives)

    def test_a_program_that_names_a_folder_of_this_machine_is_found_out(self):
        self.assertEqual(release.leaks(b"\0/home/ada/boxoffice/src/lib.rs\0", [Path("/home/ada"), Path("/build")]), ["/home/ada"])

    def test_a_word_that_reads_like_a_folder_is_none(self):
        self.assertEqual(release.leaks(b"<root></root>", [Path("/root")]), [])


class Materials(unittest.TestCase):
    METADATA = {
        "packages": [
            {"id": "us", "name": "us", "version": "1.0.0", "license": "MIT", "repository": None},
            {"id": "ring", "name": "ring", "version": "0.17.1", "license": "Apache-2.0/ISC", "repository": "https://example.org/ring"},
            {"id": "proptest", "name": "proptest", "version": "1.0.0", "license": "MIT", "repository": None},
        ],
        "resolve": {"nodes": [
            {"id": "us", "deps": [
                {"pkg": "ring", "dep_kinds": [{"kind": None}]},
                {"pkg": "proptest", "dep_kinds": [{"kind": "dev"}]},
            ]},
            {"id": "ring", "deps": []},
            {"id": "proptest", "deps": []},
        ]},
        "workspace_default_members": ["us"],
    }

    def bill(self) -> dict:
        linked = release.crates_of("us v1.0.0 (/somewhere)\nring v0.17.1\n\nring v0.17.1 (*)\n")
        return release.to_cyclonedx(self.METADATA, linked, {("ring", "0.17.1"): "ab" * 32}, "c0ffee")

    def test_it_has_what_is_linked_and_no_more(self):
        self.assertEqual([part["purl"] for part in self.bill()["components"]], ["pkg:cargo/ring@0.17.1", "pkg:cargo/us@1.0.0"])

    def test_it_says_which_bytes_and_on_what_terms(self):
        ring = self.bill()["components"][0]
        self.assertEqual(ring["hashes"], [{"alg": "SHA-256", "content": "ab" * 32}])
        self.assertEqual(ring["licenses"], [{"expression": "Apache-2.0 OR ISC"}])

    def test_it_says_who_needs_whom(self):
        self.assertEqual(self.bill()["dependencies"][2], {"ref": "pkg:cargo/us@1.0.0", "dependsOn": ["pkg:cargo/ring@0.17.1"]})


class Template(unittest.TestCase):
    def test_every_program_that_is_deployed_is_released(self):
        sources = {file.parents[1].name for file in ROOT.glob("functions/*/src/main.rs")}
        self.assertEqual(set(release.deployed_programs()), sources)

    def test_every_function_of_a_program_is_deployed_and_every_deployed_one_is_there(self):
        arms = {
            (function, file.parents[1].name)
            for file in ROOT.glob("functions/*/src/main.rs") for function in re.findall(r'^        "([a-z0-9-]+)" =>', file.read_text(), re.MULTILINE)
        }
        self.assertEqual(set(programs.of_functions().items()), arms)

    def test_every_function_gets_its_zip(self):
        template = release.deployable((ROOT / "template.yaml").read_text(), "x86_64")
        zips = re.findall(r"^      Handler: (\S+)\n      CodeUri: functions/(\S+)\.zip$", template, re.MULTILINE)
        self.assertEqual(dict(zips), programs.of_functions())
        self.assertNotIn("rust-cargolambda", template)
        self.assertRegex(template, r"(?m)^  Architecture:\n(?:    .*\n)*?    Default: x86_64$")

    def test_a_function_that_says_its_program_in_another_way_fails(self):
        template = (ROOT / "template.yaml").read_text().replace("BuildProperties: { Binary: platform }", "BuildProperties: {Binary: platform}", 1)
        with self.assertRaises(StepFailed):
            release.deployable(template, "arm64")


class Coverage(unittest.TestCase):
    SOURCE = "fn a() {\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {}\n}\n"

    def test_a_files_own_tests_do_not_count(self):
        self.assertEqual(coverage.tests_from(self.SOURCE), 5)
        file = coverage.measured("shared/kernel/src/money.rs", self.SOURCE, {1: 1, 2: 0, 8: 1})
        self.assertEqual((file.group, file.lines, file.run), ("domain", 2, 1))

    def test_a_file_without_tests_counts_as_a_whole(self):
        self.assertEqual(coverage.tests_from("fn a() {}\n"), 3)

    def test_a_single_item_for_tests_does_not_end_the_count(self):
        self.assertEqual(coverage.tests_from("#[cfg(test)]\nuse x;\nfn a() {}\n"), 5)

    def test_the_first_group_that_fits_takes_a_file(self):
        for path, group in [
            ("functions/tickets/src/main.rs", "left out"),
            ("functions/tickets/src/handlers/create_ticket.rs", "edge"),
            ("functions/tickets/src/domain.rs", "domain"),
            ("functions/platform/build.rs", "left out"),
            ("shared/aws/src/lib.rs", "domain"),
            ("elsewhere/src/lib.rs", None),
        ]:
            self.assertEqual(coverage.group_of(path), group, path)

    def test_every_source_file_is_in_a_group(self):
        strays = [str(file.relative_to(ROOT)) for top in ("shared", "functions", "api", "cli", "statemachines", "tests", "fuzz") for file in (ROOT / top).rglob("*.rs")]
        self.assertEqual([path for path in strays if coverage.group_of(path) is None], [])

    def test_too_few_lines_fail_and_enough_pass(self):
        files = [coverage.File("shared/a.rs", "domain", 100, 89), coverage.File("functions/x/src/handlers/a.rs", "edge", 100, 0)]
        self.assertIn("89.0 %", coverage.verdict(files, 90))
        self.assertIsNone(coverage.verdict([coverage.File("shared/a.rs", "domain", 100, 90)], 90))

    def test_a_file_that_nobody_counts_fails(self):
        self.assertIn("x.rs", coverage.verdict([coverage.File("x.rs", "", 1, 1)], 0))


class Mutants(unittest.TestCase):
    LINE = "shared/kernel/src/money.rs:43:28: replace > with >= in Amount::from_minor"
    KEY = "shared/kernel/src/money.rs: replace > with >= in Amount::from_minor"

    def test_one_that_survives_is_reported_with_its_place(self):
        self.assertEqual(mutants.judge([self.LINE], ["shared/kernel/src/money.rs"], {}), [f"not noticed by any unit test: {self.LINE}"])

    def test_one_that_may_survive_is_not(self):
        self.assertEqual(mutants.judge([self.LINE], ["shared/kernel/src/money.rs"], {self.KEY: "the same amount"}), [])

    def test_one_that_may_survive_and_does_not_is_reported(self):
        self.assertEqual(len(mutants.judge([], ["shared/kernel/src/money.rs"], {self.KEY: "the same amount"})), 1)
        self.assertEqual(mutants.judge([], ["another.rs"], {self.KEY: "the same amount"}), [])

    def test_every_file_and_every_accepted_one_is_there(self):
        for path in [*mutants.FILES, *(key.split(":")[0] for key in mutants.ACCEPTED)]:
            self.assertTrue((ROOT / path).exists(), path)


if __name__ == "__main__":
    unittest.main()
