"""`codeflow setup`: from a fresh machine to models that answer, written into the user's settings."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.cli.options import Roster
from codeflow.cli.render.clean import one_line
from codeflow.cli.setup_dialog import Answers, absolute, ask_all, offer_login, tell, uses_aws
from codeflow.core.errors import UsageError
from codeflow.core.values import EXIT_CODES, Status

if TYPE_CHECKING:
    from codeflow.core.settings import Settings
    from codeflow.models.catalogue import ModelSpec


def setup(
    *,
    profile: Annotated[
        str | None, typer.Option(help='AWS profile; "" for none.', autocompletion=completing.profiles)
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of Bedrock.")] = None,
    roster: Roster = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and write.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only check; ask and write nothing.")] = False,
) -> int:
    """Choose profile, region and models, and check them.

    Each model is asked for one word, for less than a cent in all. What is written into your settings is shown
    first; Ctrl-C leaves everything as it was. Ends with 77 when there are no credentials or a model that is needed
    cannot be used, with 1 when one does not answer.
    """
    from codeflow.cli.approval import can_ask

    given = {"profile": profile, "region": region, "roster": roster}
    fixed = {name for name, value in given.items() if value is not None}
    if not (yes or check or can_ask()):
        raise UsageError(
            "setup asks questions, and nobody is here to answer",
            hint="Answer on the command line: `codeflow setup --profile NAME --region us-east-1 --yes`; "
            "`codeflow setup --check` only checks.",
        )
    before = _settings()
    answers = Answers(
        profile=before.models.profile if profile is None else profile,
        region=before.models.region if region is None else region,
        roster=before.run.roster if roster is None else absolute(roster),
    )
    asking = not (yes or check)
    _require(answers, fixed)
    if asking:
        answers = ask_all(answers, fixed)
    elif uses_aws(answers.roster):
        _require_some_region(answers)
    code = _checked(_settings(answers), asking=asking)
    if not check:
        _write(answers, asking=asking, works=code == 0)
    return code


def _settings(answers: Answers | None = None) -> "Settings":
    """The user's, without those of the project in this folder: what is set up counts everywhere."""
    from codeflow.core.places import config_home
    from codeflow.core.settings import load_settings

    flags: dict[str, dict[str, str]] = {}
    if answers:
        flags["run"] = {"roster": answers.roster}
        flags["models"] = {"profile": answers.profile, "region": answers.region}
    return load_settings(config_home(), env=os.environ, flags=flags)


def _require(answers: Answers, fixed: set[str]) -> None:
    """Names on the command line that do not exist, and an AWS configuration that cannot be read, end here, before anything is asked or written."""
    from codeflow.models.aws_profiles import profiles, require_profile, require_region

    if uses_aws(answers.roster):
        profiles()
    if "profile" in fixed and answers.profile:
        require_profile(answers.profile)
    if "region" in fixed and answers.region:
        require_region(answers.region)


def _require_some_region(answers: Answers) -> None:
    from codeflow.models.aws_profiles import region_in_force

    if not (answers.region or region_in_force(answers.profile)):
        raise UsageError(
            "no region: neither the settings nor AWS_REGION nor the AWS configuration names one",
            hint="Name the region where your account uses Bedrock: `codeflow setup --region us-east-1`.",
        )


def _checked(settings: "Settings", *, asking: bool) -> int:
    """Credentials, then each model of the roster; the exit code."""
    from codeflow.cli.doctor import roster_models
    from codeflow.models.access import credentials_fault

    specs, later = roster_models(settings)
    hosted = [spec for spec in specs if spec.provider == "bedrock"]
    if hosted:
        fault = credentials_fault(settings.models, os.environ)
        if fault and asking and _logged_in(settings):
            fault = credentials_fault(settings.models, os.environ)
        if fault:
            tell(f"no credentials: {fault.message}")
            tell(f"  {fault.hint}")
            return EXIT_CODES[Status.NO_ACCESS]
    return _models(settings, specs, later)


def _logged_in(settings: "Settings") -> bool:
    """Whether the profile is of a kind that logs in, and did so just now."""
    from codeflow.models.aws_profiles import profiles

    name = settings.models.profile or os.environ.get("AWS_PROFILE", "default")
    login = next((profile.login for profile in profiles() if profile.name == name), ())
    if not login:
        return False
    tell(f"The login of profile {name} has ended, or there was none yet.")
    return offer_login(login)


def _models(settings: "Settings", specs: list["ModelSpec"], later: set[str]) -> int:
    """Ask each model, show what came of it, and say whether the first choices work."""
    from codeflow.models.access import Verdict, probe

    tell(f"Asking {len(specs)} models of roster {settings.run.roster} for one word each …")
    found = list(probe(settings.models, specs))
    rows = [
        {"model": one.model, "use": "takes over" if one.model in later else "first choice"}
        | {"result": one.verdict.value, "what to do": one.cure or one.detail}
        for one in found
    ]
    show(rows, ["model", "use", "result", "what to do"], output=ListOutput.TEXT, empty="")
    failed = {one.verdict for one in found if one.verdict is not Verdict.WORKS and one.model not in later}
    if failed & {Verdict.NO_ACCESS, Verdict.NOT_HERE}:
        return EXIT_CODES[Status.NO_ACCESS]
    return EXIT_CODES[Status.FAILED if failed else Status.DONE]


def _write(answers: Answers, *, asking: bool, works: bool) -> None:
    """Show the change of the user's settings, and make it if nobody objects."""
    from codeflow.core.settings_file import drafted

    draft = drafted(answers.settings, os.environ)
    if not draft.diff:
        tell(f"{draft.path} says so already.")
    else:
        tell()
        for line in draft.diff.splitlines():
            tell(f"  {line}")
        if asking and not typer.confirm("Write this?", default=works, err=True):
            tell("Nothing was written.")
            return
        draft.write()
        print(f"written  {one_line(str(draft.path))}")
    for key in answers.settings:
        variable = f"CODEFLOW_{key.replace('.', '__').upper()}"
        if variable in os.environ:
            tell(f"{variable} is set, and wins over the file: remove it.")
    if works:
        tell('Ready: go to a project and type `codeflow`, or `codeflow run "TASK"`.')
    else:
        tell("Not ready yet: do what is said above, then `codeflow setup --check`.")
