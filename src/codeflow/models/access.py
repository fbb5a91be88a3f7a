"""Does each model answer from here? One short call each, which is the only sure way to know, for less than a cent in all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from codeflow.core.settings import ModelSettings
from codeflow.models.bedrock import client_config, open_session
from codeflow.models.catalogue import GLOBAL, ModelSpec, split_id
from codeflow.models.diagnosis import classify
from codeflow.models.doctor import BEARER, server
from codeflow.models.faults import Fault, Outcome

_PATIENCE = Config(connect_timeout=10, read_timeout=30)
_ANSWERS = (Outcome.OK, Outcome.VALIDATION, Outcome.THROTTLED, Outcome.MODEL_ERROR, Outcome.OVERFLOW)
"""The model is there for this account: it answered, was busy, or disliked the question."""
_NOT_HERE = ("model identifier is invalid", "on-demand throughput", "region")
_CATALOG = "https://console.aws.amazon.com/bedrock/home?region={region}#/model-catalog"


class Verdict(StrEnum):
    """What came of asking a model."""

    WORKS = "works"
    NO_ACCESS = "access not granted"
    NOT_HERE = "not in this region"
    UNREACHABLE = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What came of asking one model; `cure` is empty where it works."""

    model: str
    verdict: Verdict
    detail: str = ""
    cure: str = ""


def credentials_fault(settings: ModelSettings, env: Mapping[str, str]) -> Fault | None:
    """Why no request could be signed, with the cure; None when one can. Refreshes credentials that are stale."""
    profile = settings.profile or env.get("AWS_PROFILE", "default")
    try:
        session = open_session(settings)
        credentials = None if env.get(BEARER) else session.get_credentials()
        if credentials is None and not env.get(BEARER):
            raise NoCredentialsError
        if credentials is not None:
            credentials.get_frozen_credentials()
    except (BotoCoreError, ClientError) as error:
        found = classify(error, spec=ModelSpec.unknown(profile), profile=profile)
        return replace(found, message=found.message.removeprefix(f"{profile}: "))
    return None


def probe(settings: ModelSettings, specs: Sequence[ModelSpec]) -> Iterator[Access]:
    """Ask the models one by one.

    Raises:
        botocore.exceptions.BotoCoreError: when there is no region or no such profile.
    """
    session = open_session(settings) if any(spec.provider == "bedrock" for spec in specs) else None
    for spec in specs:
        yield _asked(session, settings, spec) if session and spec.provider == "bedrock" else _served(spec)


def _asked(session: boto3.Session, settings: ModelSettings, spec: ModelSpec) -> Access:
    region = spec.region or session.region_name
    client = boto3.Session.client(
        session,
        "bedrock-runtime",
        region_name=region,
        config=client_config(settings).merge(_PATIENCE),
        endpoint_url=settings.endpoint_url or None,
    )
    question: list[Any] = [{"role": "user", "content": [{"text": "Say OK."}]}]
    try:
        client.converse(
            modelId=spec.model_id,
            messages=question,
            inferenceConfig={"maxTokens": 16},
            requestMetadata={"agent": "setup"},
        )
    except (BotoCoreError, ClientError) as error:
        return _refused(classify(error, spec=spec, profile=session.profile_name), spec, region)
    return Access(model=spec.address, verdict=Verdict.WORKS)


def _refused(fault: Fault, spec: ModelSpec, region: str) -> Access:
    if fault.outcome in _ANSWERS:
        detail = "busy just now" if fault.outcome is Outcome.THROTTLED else fault.message
        return Access(model=spec.address, verdict=Verdict.WORKS, detail=detail)
    if fault.outcome is not Outcome.ACCESS:
        return Access(model=spec.address, verdict=Verdict.UNREACHABLE, detail=fault.message, cure=fault.hint)
    if any(text in fault.message for text in _NOT_HERE):
        return Access(
            model=spec.address, verdict=Verdict.NOT_HERE, detail=fault.message, cure=_elsewhere(spec, region)
        )
    cure = f"{fault.hint} Model catalog: {_CATALOG.format(region=region)}"
    return Access(model=spec.address, verdict=Verdict.NO_ACCESS, detail=fault.message, cure=cure)


def _elsewhere(spec: ModelSpec, region: str) -> str:
    """Another id of the model for this region, or where to look for one."""
    around = "us-gov" if region.startswith("us-gov-") else region.partition("-")[0]
    used, _ = split_id(spec.model_id)
    fitting = [
        f"{prefix}.{spec.id}" for prefix in spec.profiles if prefix in (around, GLOBAL) and prefix != used
    ]
    if fitting:
        return f"Name it {' or '.join(fitting)} for its role under [models.roles] in the settings."
    return f"Choose another region or roster; what {region} has: {_CATALOG.format(region=region)}"


def _served(spec: ModelSpec) -> Access:
    found = server(spec)
    verdict = Verdict.WORKS if found.ok else Verdict.UNREACHABLE
    return Access(model=spec.address, verdict=verdict, detail=found.detail, cure=found.cure)
