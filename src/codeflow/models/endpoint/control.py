"""The two control-plane reads that tell whether a model can be used."""

import re
from collections.abc import Collection
from typing import Any

_PROFILE_PREFIX = re.compile(r"^(global|us-gov|us|eu|apac|jp|au|in)\.")


def base_model(model_id: str) -> str:
    """The foundation model behind an id, a geographic inference profile, or an ARN of either."""
    return _PROFILE_PREFIX.sub("", model_id.rpartition("/")[2])


def is_denied(model_id: str, denied: Collection[str]) -> bool:
    return base_model(model_id) in {base_model(other) for other in denied}


def foundation_model(model_id: str) -> dict[str, Any]:
    """GetFoundationModel's answer: every model is active."""
    name = model_id.rpartition("/")[2]
    details = {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{name}",
        "modelId": name,
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
    return {"modelDetails": details}


def availability(model_id: str, denied: Collection[str]) -> dict[str, Any]:
    """GetFoundationModelAvailability's answer."""
    refused = is_denied(model_id, denied)
    agreement = "NOT_AVAILABLE" if refused else "AVAILABLE"
    return {
        "modelId": model_id,
        "agreementAvailability": {"status": agreement},
        "authorizationStatus": "NOT_AUTHORIZED" if refused else "AUTHORIZED",
        "entitlementAvailability": agreement,
        "regionAvailability": "AVAILABLE",
    }
