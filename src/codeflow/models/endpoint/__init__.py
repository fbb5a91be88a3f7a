"""Bedrock on the loopback: real boto3 and real Strands run against a recorded transcript."""

from codeflow.models.endpoint.rules import ModelRules, rules_from
from codeflow.models.endpoint.server import CONFLICTING_VARIABLES, Endpoint, environment
from codeflow.models.endpoint.service import Request
from codeflow.models.endpoint.transcript import Transcript, dump, load, parse

__all__ = [
    "CONFLICTING_VARIABLES",
    "Endpoint",
    "ModelRules",
    "Request",
    "Transcript",
    "dump",
    "environment",
    "load",
    "parse",
    "rules_from",
]
