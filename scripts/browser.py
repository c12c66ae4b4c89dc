#!/usr/bin/env python3
"""Tries Swagger UI at /docs of the running stack in headless Chromium; a screenshot is left in .local/artifacts/swagger.png."""

import sys

from checkout import ROOT, run
from boxoffice_local import deployment, toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, LOCAL, NODE

ARTIFACTS = LOCAL / "artifacts"


def browser_tests() -> None:
    """The page, against the deployed stack."""
    toolchain.set_up()
    chromium = toolchain.browser()
    url = deployment.read_stack().get("apiUrl")
    if not url:
        raise StepFailed("There is no deployed stack; run `make up` first.")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    passed = run(
        "Swagger UI in Chromium", "node", str(ROOT / "tests" / "browser" / "docs.mjs"),
        BOXOFFICE_API=url, BOXOFFICE_ADMIN=ADMIN["username"], BOXOFFICE_ADMIN_PASSWORD=ADMIN_PASSWORD,
        BOXOFFICE_CHROMIUM=chromium, BOXOFFICE_NODE=str(NODE), BOXOFFICE_ARTIFACTS=str(ARTIFACTS),
    )
    if not passed:
        raise StepFailed("The browser test failed; .local/artifacts/swagger.png shows the page as it was left.")


def main() -> None:
    try:
        browser_tests()
    except StepFailed as failure:
        sys.exit(f"\n{failure}")


if __name__ == "__main__":
    main()
