"""The services that answer web_search: how each is asked, and where its answer holds the hits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codeflow.tools.research import KEY_VARIABLES, Research
from codeflow.tools.tool import Mistake
from codeflow.tools.web_client import ApiRequest, ask

_LONGEST_EXCERPT = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One result of a search."""

    title: str
    url: str
    excerpt: str


async def search(research: Research, query: str, count: int) -> list[Hit]:
    """The provider's best results, at most `count`; a Mistake when no provider is set up."""
    name = research.provider
    if name is None:
        variables = ", ".join(KEY_VARIABLES.values())
        raise Mistake(
            f"web_search is not set up: the user sets {variables} or research.searxng_url. "
            "docs_search answers offline."
        )
    provider = _PROVIDERS[name]
    endpoint = research.endpoints[name].rstrip("/")
    answer = await ask(provider.request(endpoint, research.keys.get(name, ""), query, count))
    return [
        Hit(
            title=str(entry.get("title") or "(no title)"),
            url=str(entry["url"]),
            excerpt=_excerpt(str(entry.get(provider.excerpt) or "")),
        )
        for entry in _entries(answer, provider.results)[:count]
    ]


def _entries(answer: Any, path: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The results below the path; those without an address are of no use."""
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    entries = answer if isinstance(answer, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("url")]


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_EXCERPT else f"{line[:_LONGEST_EXCERPT]}…"


def _tavily(endpoint: str, key: str, query: str, count: int) -> ApiRequest:
    return ApiRequest(
        service="Tavily",
        url=f"{endpoint}/search",
        parameters={},
        headers={"Authorization": f"Bearer {key}"},
        sent={"query": query, "max_results": count},
    )


def _exa(endpoint: str, key: str, query: str, count: int) -> ApiRequest:
    return ApiRequest(
        service="Exa",
        url=f"{endpoint}/search",
        parameters={},
        headers={"x-api-key": key},
        sent={
            "query": query,
            "numResults": count,
            "contents": {"text": {"maxCharacters": _LONGEST_EXCERPT}},
        },
    )


def _brave(endpoint: str, key: str, query: str, count: int) -> ApiRequest:
    return ApiRequest(
        service="Brave Search",
        url=f"{endpoint}/res/v1/web/search",
        parameters={"q": query, "count": count, "text_decorations": "false"},
        headers={"X-Subscription-Token": key},
    )


def _searxng(endpoint: str, _key: str, query: str, _count: int) -> ApiRequest:
    return ApiRequest(
        service="SearXNG",
        url=f"{endpoint}/search",
        parameters={"q": query, "format": "json"},
        headers={},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Provider:
    request: Callable[[str, str, str, int], ApiRequest]
    """From endpoint, key, query and count."""
    results: tuple[str, ...]
    """The keys that lead to the list of results, whose entries have a `title` and a `url`."""
    excerpt: str


_PROVIDERS = {
    "tavily": _Provider(request=_tavily, results=("results",), excerpt="content"),
    "exa": _Provider(request=_exa, results=("results",), excerpt="text"),
    "brave": _Provider(request=_brave, results=("web", "results"), excerpt="description"),
    "searxng": _Provider(request=_searxng, results=("results",), excerpt="content"),
}
