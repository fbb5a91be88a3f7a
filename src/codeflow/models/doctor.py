"""Can the models of a roster be used from here? Each finding says what to do."""

import importlib.util
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from codeflow.core.settings import ModelSettings
from codeflow.models.bedrock import client_config, open_session
from codeflow.models.catalogue import ModelSpec
from codeflow.models.diagnosis import classify
from codeflow.models.faults import Outcome

_SOON_DAYS = 90
_PROBE_S = 10.0
_ENDPOINTS = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")
BEARER = "AWSBEARER_TOKEN_BEDROCK"
_AVAILABILITY = {
    "agreementAvailability": "accept the model's agreement: Bedrock console > Model catalog > the model",
    "authorizationStatus": "allow bedrock:InvokeModel for this model in IAM",
    "entitlementAvailability": "enable the model for this account: Bedrock console > Model catalog > the model",
    "regionAvailability": "choose another region or profile id: this region does not offer the model",
}
_GOOD = frozenset({"AVAILABLE", "AUTHORIZED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; `cure` is empty when there is nothing to do."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


def check(
    settings: ModelSettings, specs: Sequence[ModelSpec], env: Mapping[str, str], *, today: date | None = None
) -> list[Check]:
    """Credentials, region, endpoint, then every model once. Reads only, and costs nothing."""
    day = today or datetime.now(UTC).date()
    unique = {spec.address: spec for spec in specs}.values()
    hosted = [spec for spec in unique if spec.provider == "bedrock"]
    found = list(_aws(settings, hosted, env, day)) if hosted else []
    return found + [server(spec) for spec in unique if spec.provider != "bedrock"]


def _aws(
    settings: ModelSettings, specs: Sequence[ModelSpec], env: Mapping[str, str], today: date
) -> Iterator[Check]:
    try:
        session = open_session(settings)
        credentials = _credentials(session, env)
        yield credentials
    except BotoCoreError as error:
        profile = settings.profile or env.get("AWS_PROFILE", "default")
        fault = classify(error, spec=specs[0], profile=profile)
        yield Check(name="AWS configuration", ok=False, detail=str(error), cure=fault.hint)
        return
    yield Check(name="region", ok=True, detail=session.region_name)
    if not credentials.ok:
        return
    endpoint = settings.endpoint_url or next((env[name] for name in _ENDPOINTS if env.get(name)), "AWS")
    reached = _runtime(session, settings, specs[0], endpoint)
    yield reached
    if not reached.ok:
        return
    clients = {region: _client(session, "bedrock", settings, region) for region in {s.region for s in specs}}
    for spec in specs:
        yield _model(clients[spec.region], spec, session.profile_name, today)


def _client(
    session: boto3.Session,
    service: Literal["bedrock", "bedrock-runtime"],
    settings: ModelSettings,
    region: str = "",
) -> Any:
    patience = Config(connect_timeout=_PROBE_S, read_timeout=_PROBE_S)
    config = client_config(settings).merge(patience)
    return session.client(
        service,
        region_name=region or session.region_name,
        config=config,
        endpoint_url=settings.endpoint_url or None,
    )


def _credentials(session: boto3.Session, env: Mapping[str, str]) -> Check:
    """Where the credentials come from; whether they are accepted shows when a model is asked for."""
    if env.get(BEARER):
        return Check(name="credentials", ok=True, detail=f"Bedrock API key ({BEARER})")
    credentials = session.get_credentials()
    if credentials is None:
        return Check(
            name="credentials",
            ok=False,
            detail=f"none found (profile {session.profile_name})",
            cure=f"Run `codeflow setup`, or `aws configure sso` for a first profile, or set {BEARER}; "
            "without an account, `codeflow demo` shows a recorded run.",
        )
    expiry: datetime | None = getattr(credentials, "_expiry_time", None)
    until = f", valid until {expiry.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if expiry else ""
    return Check(
        name="credentials", ok=True, detail=f"{credentials.method}, profile {session.profile_name}{until}"
    )


def _runtime(session: boto3.Session, settings: ModelSettings, spec: ModelSpec, endpoint: str) -> Check:
    """CountTokens is free; a model that cannot count still proves that the service answered."""
    client = _client(session, "bedrock-runtime", settings)
    messages: Any = [{"role": "user", "content": [{"text": "Hello"}]}]
    try:
        client.count_tokens(modelId=spec.id, input={"converse": {"messages": messages}})
    except (BotoCoreError, ClientError) as error:
        fault = classify(error, spec=spec, profile=session.profile_name)
        if fault.outcome not in (Outcome.VALIDATION, Outcome.ACCESS, Outcome.THROTTLED):
            return Check(name="endpoint", ok=False, detail=f"{endpoint}: {fault.message}", cure=fault.hint)
    return Check(name="endpoint", ok=True, detail=f"{endpoint} answers")


def _model(client: Any, spec: ModelSpec, profile: str, today: date) -> Check:
    """Access and lifecycle of one model, from the service and, where it does not tell, from the catalogue."""
    name = spec.address
    try:
        availability = client.get_foundation_model_availability(modelId=spec.id)
        lifecycle = client.get_foundation_model(modelIdentifier=spec.id)["modelDetails"]["modelLifecycle"]
    except (BotoCoreError, ClientError) as error:
        fault = classify(error, spec=spec, profile=profile)
        blind = "not authorized to perform" in fault.message
        cure = (
            "Allow bedrock:GetFoundationModel and bedrock:GetFoundationModelAvailability in IAM to check it."
        )
        return Check(name=name, ok=False, detail=fault.message, cure=cure if blind else fault.hint)
    missing = [cure for field, cure in _AVAILABILITY.items() if _status(availability[field]) not in _GOOD]
    if missing:
        return Check(name=name, ok=False, detail="not available", cure="; ".join(missing).capitalize() + ".")
    announced = lifecycle.get("endOfLifeTime")
    end = announced.date() if announced else spec.end_of_life
    if end and (end - today).days <= _SOON_DAYS:
        return Check(
            name=name, ok=False, detail=f"ends on {end}", cure="Choose another with --roster or --model."
        )
    if lifecycle.get("status") == "LEGACY":
        detail = "legacy: accounts that never used it cannot start now"
        return Check(name=name, ok=False, detail=detail, cure="Choose another with --roster or --model.")
    return Check(name=name, ok=True, detail=f"available until {end}" if end else "available")


def _status(field: Any) -> str:
    return str(field["status"] if isinstance(field, dict) else field)


def server(spec: ModelSpec) -> Check:
    """A model that is not on AWS: its package is installed and its server accepts connections."""
    if importlib.util.find_spec(spec.provider) is None:
        return Check(
            name=spec.model_id,
            ok=False,
            detail=f"the package {spec.provider!r} is not installed",
            cure="Run `pip install 'codeflow[local]'`.",
        )
    url = urlsplit(spec.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((url.hostname or "", port), timeout=_PROBE_S).close()
    except OSError as error:
        cure = f"Start the server at {spec.base_url or 'base_url (set it in the roster)'}."
        return Check(name=spec.model_id, ok=False, detail=str(error), cure=cure)
    return Check(name=spec.model_id, ok=True, detail=f"{spec.base_url} accepts connections")
