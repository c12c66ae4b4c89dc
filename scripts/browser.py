#!/usr/bin/env python3
"""Tries the pages of the running stack in headless Chromium: Swagger UI at /docs, the shop at /shop, and the scanner of a door.

    browser.py [--only NAME]     --only tries those tests of the shop whose name contains this

Screenshots are left in .local/artifacts/swagger.png, .local/artifacts/scanner.png and .local/reports/pages/.
"""

import argparse
import sys

from checkout import ROOT, run
from boxoffice_local import deployment, toolchain
from boxoffice_local.console import StepFailed
from boxoffice_local.settings import ADMIN, ADMIN_PASSWORD, LOCAL, NODE

ARTIFACTS = LOCAL / "artifacts"
PAGES = LOCAL / "reports" / "pages"


def browser_tests(only: str) -> None:
    """The pages, against the deployed stack."""
    toolchain.set_up()
    chromium = toolchain.browser()
    stack = deployment.read_stack()
    if not stack.get("apiUrl"):
        raise StepFailed("There is no deployed stack; run `make up` first.")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    environment = {
        "BOXOFFICE_API": stack["apiUrl"], "BOXOFFICE_ADMIN": ADMIN["username"], "BOXOFFICE_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "BOXOFFICE_CHROMIUM": chromium, "BOXOFFICE_NODE": str(NODE), "BOXOFFICE_ARTIFACTS": str(ARTIFACTS), "BOXOFFICE_PAGES": str(PAGES),
        "BOXOFFICE_PAYMENTS": stack["paymentsUrl"], "BOXOFFICE_AWS": stack["awsEndpoint"],
    }
    if not only and not run("Swagger UI in Chromium", "node", str(ROOT / "tests" / "browser" / "docs.mjs"), **environment):
        raise StepFailed("The browser test failed; .local/artifacts/swagger.png shows the page as it was left.")
    if not run("The shop in Chromium", "node", str(ROOT / "tests" / "pages" / "main.mjs"), only, **environment):
        raise StepFailed("A test of the shop's pages failed; .local/reports/pages/ has the screenshots.")
    if not only and not run("The scanner in Chromium", "node", str(ROOT / "tests" / "browser" / "scanner.mjs"), **environment):
        raise StepFailed("The scanner's test failed; .local/artifacts/scanner.png shows the page as it was left.")


def main() -> None:
    parser = argparse.ArgumentParser(description="The pages in Chromium.")
    parser.add_argument("--only", default="", metavar="NAME", help="only tests of the shop whose name contains this")
    try:
        browser_tests(parser.parse_args().only)
    except StepFailed as failure:
        sys.exit(f"\n{failure}")


if __name__ == "__main__":
    main()
