#!/usr/bin/env python3
"""Says which dependencies of our crates no line of theirs names: each one costs every build, and a reader who looks for its use.

    dependencies.py

Reads the manifests and the sources; builds nothing. A dependency that is there for its features alone stands under the comment `# For their features`.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("dependencies", "dev-dependencies", "build-dependencies")
# Not ours, or made.
SKIPPED = {"target", ".local", "node_modules", ".git"}
FOR_FEATURES = "# For their features"


def manifests(root: Path) -> Iterator[Path]:
    for manifest in sorted(root.rglob("Cargo.toml")):
        if not SKIPPED & set(manifest.relative_to(root).parts):
            yield manifest


def for_features(manifest: str) -> set[str]:
    """The names below the comment, up to the next empty line."""
    names, inside = set(), False
    for line in manifest.splitlines():
        if line.startswith(FOR_FEATURES):
            inside = True
        elif not line.strip():
            inside = False
        elif inside:
            names.add(re.split(r"[.\s=]", line)[0])
    return names


def sources(folder: Path) -> str:
    """The source text of a crate, without that of crates below its folder, and without comments."""
    below = {manifest.parent for manifest in folder.rglob("Cargo.toml")} - {folder}
    files = (file for file in folder.rglob("*.rs") if not SKIPPED & set(file.relative_to(folder).parts) and not below & set(file.parents))
    return "\n".join(re.sub(r"//.*", "", file.read_text()) for file in files)


def unused(root: Path) -> list[str]:
    found, wanted = [], set()
    workspace: dict = {}
    for path in manifests(root):
        text = path.read_text()
        manifest = tomllib.loads(text)
        workspace |= manifest.get("workspace", {}).get("dependencies", {})
        if "package" not in manifest:
            continue
        code, exempt, place = sources(path.parent), for_features(text), path.relative_to(root)
        for kind in KINDS:
            for name, it in manifest.get(kind, {}).items():
                if isinstance(it, dict) and it.get("workspace"):
                    wanted.add(name)
                if name not in exempt and not re.search(rf"\b{re.escape(name.replace('-', '_'))}\b", code):
                    found.append(f"{place}: {name} ({kind}) is named nowhere")
    return found + [f"Cargo.toml: {name} is wanted by no crate" for name in sorted(workspace.keys() - wanted)]


def main() -> None:
    found = unused(ROOT)
    for line in found:
        print(f"  {line}")
    if found:
        sys.exit(f"\n{len(found)} dependencies are named nowhere.")
    print("Every dependency is named by the crate that wants it.")


if __name__ == "__main__":
    main()
