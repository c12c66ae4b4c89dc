"""The permissions of functions and state machines, by the template and by the list that reviewers read (`infra/policies.yaml`)."""

from templates import App, listed, said

Grants = dict[str, dict[str, list[str]]]


def granted(app: App) -> Grants:
    """The permissions as deployed: `{"create-ticket": {"TicketsTable": ["dynamodb:GetItem", …]}}`."""
    grants = {}
    for name, resource in {**app.functions(), **app.machines()}.items():
        may: dict[str, list[str]] = {}
        for statement in statements(app.role(resource)):
            only = "".join(f" when {key} is given" for test in statement.get("Condition", {}).values() for key in test)
            targets = [said(it) for it in listed(statement.get("Resource", []))]
            targets += [f"all but {said(it)}" for it in listed(statement.get("NotResource", []))]
            for target in targets:
                may.setdefault(target + only, []).extend(listed(statement["Action"]))
        grants[name] = {target: sorted(set(actions)) for target, actions in sorted(may.items())}
    return grants


def statements(role: dict) -> list[dict]:
    return [
        statement for policy in role.get("Policies", []) for statement in policy["PolicyDocument"]["Statement"]
        if isinstance(statement, dict)
    ]


def managed(app: App) -> dict[str, list[str]]:
    """AWS's own policies, by who has them."""
    return {
        name: sorted(said(arn).rsplit("/", 1)[-1] for arn in app.role(resource).get("ManagedPolicyArns", []))
        for name, resource in {**app.functions(), **app.machines()}.items()
    }


def listed_grants(app: App) -> Grants:
    return {
        name: {target: sorted(actions) for target, actions in (entry.get("may") or {}).items()}
        for name, entry in {**app.lists["functions"], **app.lists["state machines"]}.items()
    }


def differences(deployed: Grants, reviewed: Grants) -> list[str]:
    """Every grant that is in one and not in the other, as a diff from the list to the template."""
    def lines(grants: Grants) -> set[tuple[str, str, str]]:
        return {(name, action, target) for name, may in grants.items() for target, actions in may.items() for action in actions}

    there, here = lines(deployed), lines(reviewed)
    found = [f"+ {name}: {action} on {target}   (template.yaml grants it; infra/policies.yaml does not have it)" for name, action, target in there - here]
    found += [f"- {name}: {action} on {target}   (infra/policies.yaml has it; template.yaml does not grant it)" for name, action, target in here - there]
    found += [f"+ {name}   (not in infra/policies.yaml)" for name in deployed.keys() - reviewed.keys()]
    found += [f"- {name}   (not in template.yaml)" for name in reviewed.keys() - deployed.keys()]
    return sorted(found, key=lambda line: (line[2:], line))


def own_environment(app: App, function: dict) -> list[str]:
    """The variables that this function sees and not all do."""
    everybody = app.main["Globals"]["Function"]["Environment"]["Variables"]
    return sorted(function["Properties"].get("Environment", {}).get("Variables", {}).keys() - everybody.keys())
