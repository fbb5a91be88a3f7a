"""The services that answer web_search: how each is asked, and where its answer holds the hits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from codeflow.core.errors import CodeflowError
from codeflow.tools.research import KEY_VARIABLES, Research
from codeflow.tools.tool import Mistake
from codeflow.tools.web_client import ApiRequest, ask

_LONGEST_EXCERPT = 600
_BRAVE_LONGEST_QUERY = 400
_BRAVE_MOST_WORDS = 50


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
            f"web_search is not set up: the user sets {variables}, research.searxng_url "
            'or research.provider = "agentcore". '
            "docs_search answers offline."
        )
    if name == "agentcore":
        return await _by_agentcore(research, query, count)
    provider = _PROVIDERS[name]
    endpoint = research.endpoints[name].rstrip("/")
    answer = await ask(provider.request(endpoint, research.keys.get(name, ""), query, count))
    return [
        Hit(
            title=str(entry.get("title") or "(no title)"),
            url=str(entry["url"]),
            excerpt=_excerpt(entry.get(provider.excerpt)),
        )
        for entry in _entries(answer, provider.results)[:count]
    ]


async def _by_agentcore(research: Research, query: str, count: int) -> list[Hit]:
    if research.agentcore is None:
        raise Mistake("AgentCore's web search is not available here; docs_search answers offline.")
    try:
        results = await research.agentcore(query, count)
    except CodeflowError as error:
        raise Mistake(f"{error}. {error.hint}") from error
    return [
        Hit(
            title=str(entry.get("title") or "(no title)"),
            url=str(entry.get("url") or "(no address)"),
            excerpt=_excerpt(entry.get("text")),
        )
        for entry in results[:count]
    ]


def _entries(answer: Any, path: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The results below the path; those without an address are of no use."""
    for key in path:
        answer = answer.get(key) if isinstance(answer, dict) else None
    entries = answer if isinstance(answer, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and entry.get("url")]


def _excerpt(found: Any) -> str:
    """One line of a text, or of several pieces of one."""
    pieces = found if isinstance(found, list) else [found or ""]
    line = " … ".join(" ".join(str(piece).split()) for piece in pieces)
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
        sent={"query": query, "numResults": count, "contents": {"highlights": True}},
    )


def _brave(endpoint: str, key: str, query: str, count: int) -> ApiRequest:
    if len(query) > _BRAVE_LONGEST_QUERY or len(query.split()) > _BRAVE_MOST_WORDS:
        raise Mistake(
            f"Brave Search takes queries of up to {_BRAVE_LONGEST_QUERY} characters and {_BRAVE_MOST_WORDS} words; "
            "ask in fewer."
        )
    return ApiRequest(
        service="Brave Search",
        url=f"{endpoint}/res/v1/web/search",
        parameters={"q": query, "count": count, "text_decorations": "false"},
        headers={"X-Subscription-Token": key, "Accept": "application/json"},
    )


def _searxng(endpoint: str, _key: str, query: str, _count: int) -> ApiRequest:
    return ApiRequest(
        service="SearXNG",
        url=f"{endpoint}/search",
        parameters={"q": query, "format": "json"},
        headers={},
        forbidden="its search.formats lacks json; tell the user",
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
    "exa": _Provider(request=_exa, results=("results",), excerpt="highlights"),
    "brave": _Provider(request=_brave, results=("web", "results"), excerpt="description"),
    "searxng": _Provider(request=_searxng, results=("results",), excerpt="content"),
}
