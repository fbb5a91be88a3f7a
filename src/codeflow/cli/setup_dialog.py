"""What `codeflow setup` asks at a terminal, each question with the answer that Enter gives."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from codeflow.cli.render.clean import visible
from codeflow.core.errors import UsageError

_Parsed = TypeVar("_Parsed")
_NO_PROFILE = "-"
_INSTALL_AWS = {
    "darwin": "`brew install awscli`",
    "win32": "`winget install Amazon.AWSCLI`",
}
_AWS_PAGE = "https://aws.amazon.com/cli/"
_KEY = "AWS_BEARER_TOKEN_BEDROCK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is set up; an empty profile or region leaves it to the AWS configuration and its variables."""

    profile: str
    region: str
    roster: str

    @property
    def settings(self) -> dict[str, str]:
        """By dotted key."""
        return {"run.roster": self.roster, "models.profile": self.profile, "models.region": self.region}


def tell(line: str = "") -> None:
    """To the person, with what a name or a service may have brought made harmless."""
    print(visible(line), file=sys.stderr)


def ask_all(known: Answers, fixed: set[str]) -> Answers:
    """Ask for what no flag has `fixed`; `known` is what Enter answers."""
    roster = known.roster if "roster" in fixed else _ask_roster(known.roster)
    if not uses_aws(roster):
        return Answers(profile=known.profile, region=known.region, roster=roster)
    profile = known.profile if "profile" in fixed else _ask_profile(known.profile)
    region = known.region if "region" in fixed else _ask_region(known.region, profile)
    return Answers(profile=profile, region=region, roster=roster)


def absolute(roster: str) -> str:
    """A roster's file is found from every folder; a packaged roster has a name."""
    return str(Path(roster).expanduser().resolve()) if roster.endswith(".toml") else roster


def uses_aws(roster: str) -> bool:
    """Whether a roster has a model that does not run on a server of one's own."""
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.rosters import Roster

    loaded, catalogue = Roster.load(roster), Catalogue.load()
    specs = (loaded.spec(catalogue, one) for ids in loaded.roles.values() for one in ids)
    return any(spec.provider == "bedrock" for spec in specs)


def offer_login(command: tuple[str, ...]) -> bool:
    """Run the command that renews credentials, if the person wants; whether it was run to its end."""
    line = " ".join(command)
    program = shutil.which(command[0])
    if program is None:
        tell(f"  The AWS CLI is not installed, and `{line}` needs it: {how_to_install_aws()}.")
        return False
    if not typer.confirm(f"Run `{line}` now?", default=True, err=True):
        tell(f"  Then run `{line}` yourself, and `codeflow setup --check` afterwards.")
        return False
    code = subprocess.run([program, *command[1:]], stdout=sys.stderr, check=False).returncode
    if code:
        tell(f"  `{line}` ended with exit code {code}; it needs version 2 of the AWS CLI: {_AWS_PAGE}")
    return code == 0


def how_to_install_aws() -> str:
    """The command of this system, or the page that has it."""
    return f"{_INSTALL_AWS[sys.platform]}, or {_AWS_PAGE}" if sys.platform in _INSTALL_AWS else _AWS_PAGE


def _ask(question: str, default: str, parse: Callable[[str], _Parsed]) -> _Parsed:
    """Ask until the answer can be used; the end of the input ends the dialog."""
    while True:
        answer = typer.prompt(question, default=default, show_default=bool(default), err=True)
        try:
            return parse(str(answer).strip())
        except UsageError as error:
            tell(f"  {error}. {error.hint}")


def _ask_roster(default: str) -> str:
    from codeflow.core.places import resource
    from codeflow.models.rosters import Roster, packaged_rosters

    names = packaged_rosters()
    tell("Roster: which models play which role.")
    for number, name in enumerate(names, 1):
        first = (
            (resource("config") / "rosters" / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0]
        )
        tell(f"  {number}  {name:9} {first.lstrip('# ').partition('. ')[0].rstrip('.')}")

    def parse(answer: str) -> str:
        name = _picked(answer, names)
        name = absolute(name)
        Roster.load(name)
        return name

    return _ask("Roster, or the path of a .toml file", default, parse)


def _ask_profile(default: str) -> str:
    from codeflow.models.aws_profiles import profiles, require_profile

    found = profiles()
    tell()
    tell("AWS profile: whose credentials are used.")
    for number, profile in enumerate(found, 1):
        tell(f"  {number}  {profile.name:20} {profile.kind}{profile.region and f', {profile.region}'}")
    tell(f"  {_NO_PROFILE}  none: AWS_PROFILE, keys or {_KEY} of the environment, or the machine's role")
    if not found:
        tell("  There is no profile yet. `aws configure sso` makes one, with browser login.")
        if shutil.which("aws") is None:
            tell(f"  It comes with the AWS CLI: {how_to_install_aws()}.")
    names = [profile.name for profile in found]

    def parse(answer: str) -> str:
        name = _picked(answer, names)
        return "" if name == _NO_PROFILE else require_profile(name).name

    likely = "default" if "default" in names else next(iter(names), _NO_PROFILE)
    likely = default or (_NO_PROFILE if _environment_has_credentials() else likely)
    return _ask("Profile", likely, parse)


def _ask_region(default: str, profile: str) -> str:
    from codeflow.models.aws_profiles import region_in_force, require_region

    tell()
    likely = default or region_in_force(profile) or "us-east-1"
    return _ask("Region of Bedrock", likely, require_region)


def _environment_has_credentials() -> bool:
    return any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", _KEY))


def _picked(answer: str, names: list[str]) -> str:
    """The name behind a number of a list; anything else is a name."""
    is_number = answer.isdecimal() and 0 < int(answer) <= len(names)
    return names[int(answer) - 1] if is_number and answer not in names else answer
