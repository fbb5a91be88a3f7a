"""How the web is reached: which services, where, and with whose keys."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from codeflow.core.settings import ResearchSettings

KEY_VARIABLES: Mapping[str, str] = {
    "tavily": "TAVILY_API_KEY",
    "exa": "EXA_API_KEY",
    "brave": "BRAVE_API_KEY",
}


Ask = Callable[[str, int], Awaitable[Sequence[Mapping[str, Any]]]]
"""Query and count to results with `text` and, where known, `title` and `url`; raises a CodeflowError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Research:
    """`provider` answers web_search, None: nobody does. `endpoints` and `keys` are by the name of a service."""

    provider: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    agentcore: Ask | None = None
    """Bedrock AgentCore's web search, where it was chosen."""
    allow_private: bool = False
    """Whether pages of this machine and of private networks may be fetched."""

    @classmethod
    def configured(
        cls, settings: ResearchSettings, env: Mapping[str, str], agentcore: Ask | None = None
    ) -> "Research":
        """What settings and environment allow; a provider without its key or URL is none, and what costs money is chosen by name."""
        keys = {name: env[variable] for name, variable in KEY_VARIABLES.items() if env.get(variable)}
        usable = [*keys, *(["searxng"] if settings.searxng_url else [])]
        if settings.provider == "agentcore" and agentcore:
            usable.append("agentcore")
        wanted = usable if settings.provider == "auto" else [settings.provider]
        return cls(
            provider=next((name for name in wanted if name in usable), None),
            endpoints={**settings.endpoints.model_dump(), "searxng": settings.searxng_url},
            keys=keys,
            agentcore=agentcore,
            allow_private=settings.allow_private,
        )


OFFLINE = Research()
