"""What the AWS configuration of this machine offers: profiles and regions."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import botocore.session
from botocore.exceptions import BotoCoreError

from codeflow.core.errors import UsageError
from codeflow.core.settings import aws_region

_FORMAT = "Correct that file: its format is `[profile NAME]`, then lines of `key = value`."
_NO_SUCH_PROFILE = "Correct AWS_PROFILE or models.profile; `codeflow setup` lists the profiles there are."
_KINDS = {
    "sso_session": "SSO",
    "sso_start_url": "SSO",
    "login_session": "aws login",
    "role_arn": "assumes a role",
    "credential_process": "credentials from a program",
    "aws_access_key_id": "access key",
}
"""By the first of these keys that a profile has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile of ~/.aws/config or ~/.aws/credentials; `region` is "" where it names none."""

    name: str
    kind: str
    region: str

    @property
    def login(self) -> tuple[str, ...]:
        """The command that renews its credentials in a browser; empty for a kind that has none."""
        commands = {"SSO": ("aws", "sso", "login"), "aws login": ("aws", "login")}
        command = commands.get(self.kind)
        return (*command, "--profile", self.name) if command else ()


def profiles() -> list[Profile]:
    """Every profile that botocore sees, by name.

    Raises:
        UsageError: when the AWS configuration cannot be read.
    """
    try:
        found: Mapping[str, Mapping[str, str]] = botocore.session.Session().full_config["profiles"]
    except BotoCoreError as error:
        raise UsageError(f"the AWS configuration: {error}", hint=_FORMAT) from error
    return [
        Profile(
            name=name,
            kind=next((kind for key, kind in _KINDS.items() if key in keys), "no credentials"),
            region=str(keys.get("region", "")),
        )
        for name, keys in sorted(found.items())
    ]


def require_profile(name: str) -> Profile:
    """The profile of a name.

    Raises:
        UsageError: naming those that there are.
    """
    known = {profile.name: profile for profile in profiles()}
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else f"Run `aws configure sso --profile {name}`."
        raise UsageError(f"no AWS profile {name!r} in the AWS configuration", hint=there)
    return known[name]


def require_region(name: str) -> str:
    """A region that Bedrock runs in.

    Raises:
        UsageError: offering the nearest names.
    """
    session = botocore.session.Session()
    known = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("bedrock", partition_name=partition)
    ]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.6) or ["us-east-1", "eu-central-1"]
        raise UsageError(f"no Bedrock in region {name!r}", hint=f"For example {', '.join(close)}.")
    return name


def region_in_force(profile: str) -> str | None:
    """The region that AWS_REGION or the AWS configuration names for a profile, "" for the one in force."""
    session = botocore.session.Session(profile=profile or None)
    try:
        return aws_region() or session.get_config_variable("region")
    except BotoCoreError as error:
        raise UsageError(f"the AWS configuration: {error}", hint=_NO_SUCH_PROFILE) from error
