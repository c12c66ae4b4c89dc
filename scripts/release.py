#!/usr/bin/env python3
"""Makes a release: one zip a function, the bill of materials, and the hashes of all. The same commit gives the same bytes, wherever it is built.

    release.py [--architecture arm64|x86_64] [--only BIN ...] [--from FOLDER]
        --architecture: of the functions; this machine's unless said otherwise
        --only:         these functions alone, without the rest of a release
        --from:         package the bootstraps that a build left in this folder; compile nothing

Into `.local/release/<architecture>/`: `functions/<name>.zip`; the template, which deploys those zips and needs no compiler; `boxoffice.cdx.json`
(CycloneDX); `SHA256SUMS` of all, and `PROGRAMS.sha256` of what is in the zips. All of it once more as `.local/release/boxoffice-<architecture>.tar`.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cargo_tools
from checkout import ROOT, heading
from boxoffice_local import programs, settings, toolchain
from boxoffice_local.console import StepFailed, run_logged, say
from boxoffice_local.settings import LOCAL

RELEASE = LOCAL / "release"
TRIPLES = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
PROGRAM = "bootstrap"  # the name under which Lambda starts it
# The first moment a zip can state. A time of the build, or of the commit, would make another zip of a program that has not changed.
EPOCH = (1980, 1, 1, 0, 0, 0)
COMPRESSION = 9
# Compiled into no function, but carried by one: the page at /docs is made of its files.
EMBEDDED = {"utoipa-swagger-ui-vendored"}


def deployed_programs(root: Path = ROOT) -> list[str]:
    """The programs that the template deploys."""
    return sorted(set(programs.of_functions(root).values()))


# Building


def build(root: Path, target: Path, architecture: str, only: list[str]) -> Path:
    """Compiles the functions of the checkout at `root` as AWS runs them; gives the folder of their bootstraps."""
    chosen = [word for name in only for word in ("--bin", name)] or ["--bins"]
    command = [settings.tool("cargo-lambda"), "lambda", "build", "--release", "--locked", f"--{architecture.replace('_', '-')}", *chosen]
    run_logged(f"functions compiled for {architecture}", command, f"release-{root.name}-{architecture}", cwd=root, env=build_environment(root, target))
    return target / "lambda"


def build_environment(root: Path, target: Path) -> dict[str, str]:
    """The environment that compiles a release: nothing in it depends on the machine.

    Not the local stack's environment: cargo-lambda links with zig here, against the C library of Lambda's system in place of this machine's.
    """
    dropped = ("CARGO_BUILD_TARGET", "CARGO_LAMBDA_COMPILER", "CARGO_ENCODED_RUSTFLAGS")
    inherited = {name: value for name, value in settings.environment().items() if name not in dropped}
    return inherited | {
        "CARGO_TARGET_DIR": str(target),
        "CARGO_INCREMENTAL": "0",
        # Cargo leaves the flags that rename folders, and no others, out of the hashes by which it names what it compiles.
        "RUSTFLAGS": " ".join([settings.function_flags(), *(f"--remap-path-prefix={found}={written}" for found, written in renamed(root, target))]),
        "SOURCE_DATE_EPOCH": commit_time(root),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def renamed(root: Path, target: Path) -> list[tuple[Path, str]]:
    """Folders of this machine, and the names that replace them in programs. The compiler applies the last one that matches."""
    cargo = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    registries = sorted((cargo / "registry" / "src").glob("*"))
    return [
        (root, "/boxoffice"),
        # Files that build scripts write are sources too, such as serde's.
        (target, "/target"),
        *((registry, "/crates") for registry in registries),
        # The standard library's own sources, which a machine may have or not (the component rust-src).
        (cargo_tools.sysroot() / "lib" / "rustlib" / "src" / "rust", f"/rustc/{compiler_commit()}"),
    ]


def compiler_commit() -> str:
    return next(line.split()[1] for line in cargo_tools.rustc("-vV").splitlines() if line.startswith("commit-hash:"))


def commit_time(root: Path) -> str:
    """The time of the commit, in seconds."""
    return subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def leaks(program: bytes, folders: Iterable[Path]) -> list[str]:
    """The folders of this machine below which a program names a path. (A program may well say `</root>`.)"""
    return [str(folder) for folder in folders if f"{folder}/".encode() in program]


# Packaging


def zip_program(program: bytes, file: Path) -> None:
    """The program as a function's code, and nothing of when, where or by whom it was packed."""
    entry = zipfile.ZipInfo(PROGRAM, EPOCH)
    entry.create_system = 3  # Unix, also where this runs on another
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(entry, program, compresslevel=COMPRESSION)


def package(built: Path, folder: Path, names: list[str]) -> dict[str, str]:
    """A zip of each program; gives the hash of every file made, and of each zip's program."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "functions").mkdir(parents=True)
    hashes = {}
    for name in sorted(names):
        bootstrap = built / name / PROGRAM
        if not bootstrap.exists():
            raise StepFailed(f"{name} was not built: there is no {bootstrap}.")
        program, zipped = bootstrap.read_bytes(), folder / "functions" / f"{name}.zip"
        zip_program(program, zipped)
        hashes[f"functions/{name}.zip"] = sha256(zipped.read_bytes())
        # The program's own hash lets two zips be compared whose compressors differ in version.
        hashes[f"functions/{name}.zip:{PROGRAM}"] = sha256(program)
    return hashes


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_sums(folder: Path, hashes: dict[str, str]) -> None:
    """`SHA256SUMS`, which `sha256sum --check` reads, and the programs' own hashes beside it."""
    files = {name: value for name, value in hashes.items() if ":" not in name}
    programs = {name: value for name, value in hashes.items() if ":" in name}
    for file, listed in (("SHA256SUMS", files), ("PROGRAMS.sha256", programs)):
        (folder / file).write_text("".join(f"{value}  {name}\n" for name, value in sorted(listed.items())))


def bundle(folder: Path, file: Path) -> None:
    """All of a release in one tar, by name, without times, owners or the order of a disk."""
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(f"boxoffice/{path.relative_to(folder)}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)


# The template


def deployable(template: str, architecture: str) -> str:
    """The template, its functions' code being the zips beside it instead of something to build."""
    wanted = len(re.findall(r"^    Type: AWS::Serverless::Function$", template, re.MULTILINE))
    zipped = r"    Properties:\n      Handler: \g<function>\n      CodeUri: functions/\g<program>.zip\n"
    template, functions_ = programs.FUNCTION.subn(zipped, template)
    template, globals_ = re.subn(r"^    (?:#.*\n    )?CodeUri: \.\n", "", template, flags=re.MULTILINE)
    template, defaults = re.subn(r"^(  Architecture:\n(?:    .*\n)*?    Default: )\S+$", rf"\g<1>{architecture}", template, flags=re.MULTILINE)
    if (functions_, globals_, defaults) != (wanted, 1, 1):
        raise StepFailed(
            f"template.yaml is not written as scripts/release.py reads it: of {wanted} functions {functions_} say their program in one line before their "
            f"properties; CodeUri is stated for all {globals_} times, the architecture's default {defaults} times, and both should be once."
        )
    return template


def copy_template(root: Path, folder: Path, architecture: str) -> dict[str, str]:
    """The template and all that it refers to; gives their hashes."""
    (folder / "template.yaml").write_text(deployable((root / "template.yaml").read_text(), architecture))
    files = [root / "samconfig.toml", root / "LICENSE", *root.glob("infra/*.yaml"), *root.glob("statemachines/*.asl.json")]
    for file in files:
        copy = folder / file.relative_to(root)
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, copy)
    names = ["template.yaml", *(str(file.relative_to(root)) for file in files)]
    return {name: sha256((folder / name).read_bytes()) for name in names}


# The bill of materials


def bill_of_materials(root: Path, architecture: str) -> dict:
    """Every crate that is in a function, by CycloneDX. The tests' are not in it, nor the macros' and build scripts', which run in the compiler."""
    metadata = json.loads(cargo(root, "metadata", "--format-version", "1", "--locked", "--filter-platform", TRIPLES[architecture]))
    # `cargo tree` resolves the features of the functions alone; `cargo metadata` would include those of tests.
    tree = cargo(root, "tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}", "--target", TRIPLES[architecture])
    embedded = {(package["name"], package["version"]) for package in metadata["packages"] if package["name"] in EMBEDDED}
    return to_cyclonedx(metadata, crates_of(tree) | embedded, checksums(root), commit(root))


def cargo(root: Path, *arguments: str) -> str:
    found = subprocess.run(["cargo", *arguments], cwd=root, capture_output=True, text=True)
    if found.returncode != 0:
        raise StepFailed(f"cargo {arguments[0]} failed: {found.stderr}")
    return found.stdout


def crates_of(tree: str) -> set[tuple[str, str]]:
    """The names and versions in lines such as `ring v0.17.14` and `boxoffice-aws v0.1.0 (/somewhere)`."""
    words = (line.split() for line in tree.splitlines() if line)
    return {(line[0], line[1].removeprefix("v")) for line in words}


def checksums(root: Path) -> dict[tuple[str, str], str]:
    lock = tomllib.loads((root / "Cargo.lock").read_text())
    return {(crate["name"], crate["version"]): crate["checksum"] for crate in lock["package"] if "checksum" in crate}


def commit(root: Path) -> str:
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def to_cyclonedx(metadata: dict, linked: set[tuple[str, str]], checksum: dict[tuple[str, str], str], revision: str) -> dict:
    packages = {package["id"]: package for package in metadata["packages"] if (package["name"], package["version"]) in linked}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    ours = sorted(purl(packages[id]) for id in metadata["workspace_default_members"])
    version = packages[metadata["workspace_default_members"][0]]["version"]
    listed = sorted(packages, key=lambda id: (packages[id]["name"], packages[id]["version"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": "boxoffice", "name": "boxoffice", "version": version,
                "properties": [{"name": "git:commit", "value": revision}],
            },
        },
        "components": [component(packages[id], checksum) for id in listed],
        "dependencies": [
            {"ref": "boxoffice", "dependsOn": ours},
            *({"ref": purl(packages[id]), "dependsOn": linked_by(nodes[id], packages)} for id in listed),
        ],
    }


def linked_by(node: dict, packages: dict[str, dict]) -> list[str]:
    """A crate's dependencies, without those of its tests and its build script."""
    normal = {dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])}
    return sorted(purl(packages[id]) for id in normal & packages.keys())


def purl(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict, checksum: dict[tuple[str, str], str]) -> dict:
    made = {"type": "library", "bom-ref": purl(package), "name": package["name"], "version": package["version"], "purl": purl(package)}
    if package.get("license"):
        # Cargo still takes the slash that meant OR before there was a grammar for it.
        made["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
    if value := checksum.get((package["name"], package["version"])):
        made["hashes"] = [{"alg": "SHA-256", "content": value}]
    if package.get("repository"):
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


# The whole release


def release(architecture: str, only: list[str], built: Path | None) -> Path:
    folder = RELEASE / architecture
    if built is None:
        built = build(ROOT, ROOT / "target" / "release-build", architecture, only)
    names = only or deployed_programs()
    hashes = package(built, folder, names)
    if only:
        write_sums(folder, hashes)
    else:
        complete(ROOT, folder, architecture, hashes)
        bundle(folder, RELEASE / f"boxoffice-{architecture}.tar")
    return folder


def complete(root: Path, folder: Path, architecture: str, hashes: dict[str, str]) -> None:
    """Adds the files of a release beside its zips: template, bill of materials, hashes."""
    hashes |= copy_template(root, folder, architecture)
    bill = folder / "boxoffice.cdx.json"
    bill.write_text(json.dumps(bill_of_materials(root, architecture), indent=1, sort_keys=True) + "\n")
    hashes[bill.name] = sha256(bill.read_bytes())
    write_sums(folder, hashes)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes a release.")
    parser.add_argument("--architecture", choices=sorted(TRIPLES), default=settings.architecture())
    parser.add_argument("--only", nargs="+", default=[], metavar="BIN", help="these programs alone")
    parser.add_argument("--from", dest="built", type=Path, metavar="FOLDER", help="package what is built here, such as target/lambda")
    options = parser.parse_args()
    try:
        toolchain.set_up()
        heading(f"Release for {options.architecture}")
        folder = release(options.architecture, options.only, options.built)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")
    say(f"\n{len(list(folder.glob('functions/*.zip')))} functions in {folder.relative_to(ROOT)}, hashes in SHA256SUMS.")


if __name__ == "__main__":
    main()
