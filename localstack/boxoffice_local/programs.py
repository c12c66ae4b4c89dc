"""Maps each function to its program, as the template does."""

import re
from functools import cache
from pathlib import Path

from .console import StepFailed
from .settings import ROOT

# A function names its program in one line, and itself in the first of its properties.
FUNCTION = re.compile(
    r"^    Metadata: \{ BuildMethod: rust-cargolambda, BuildProperties: \{ Binary: (?P<program>[a-z0-9-]+) \} \}\n"
    r"    Properties:\n      Handler: (?P<function>[a-z0-9-]+)\n",
    re.MULTILINE,
)


@cache
def of_functions(root: Path = ROOT) -> dict[str, str]:
    """Every function that the templates deploy, and its program."""
    found = {}
    for template in (root / "template.yaml", *sorted(root.glob("infra/*.yaml"))):
        found |= {match["function"]: match["program"] for match in FUNCTION.finditer(template.read_text())}
    if not found:
        raise StepFailed("The template names no function's program.")
    return found


def bootstrap(function: str, root: Path = ROOT) -> Path | None:
    """The function's program as it was built for the local stack; nothing where the name is no function's."""
    program = of_functions(root).get(function)
    return root / "target" / "lambda" / program / "bootstrap" if program else None
