"""What a task carries of the workflow that it is done by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWorkflow:
    """A workflow that a task is done by: the contents of its file and of those it uses, by name, as JSON."""

    name: str
    source: str
    files: Mapping[str, Any]
    inputs: Mapping[str, str]
