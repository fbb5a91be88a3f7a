"""HTTP for the research tools: bounded in time and size, and every way it can fail said to the model."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies

from codeflow.tools.tool import Mistake

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 30.0
_MOST_BYTES = 4_000_000
_MOST_REDIRECTS = 5
_DIRECT = (
    " fetch_page does not use the proxy that is set here, because nobody could check where it leads; "
    "the user can set research.allow_private = true."
)
_HEADERS = {"User-Agent": "codeflow (coding agent)", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a server answered. `url` is where redirects led, `media_type` is in lower case, without parameters."""

    url: str
    media_type: str
    encoding: str
    body: bytes
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One question to a service; `sent` is posted as JSON, and None makes it a GET."""

    service: str
    url: str
    parameters: Mapping[str, str | int]
    headers: Mapping[str, str]
    sent: Mapping[str, Any] | None = None
    forbidden: str = "its key or its settings are wrong; tell the user"
    """What a refusal (401 or 403) means."""


async def fetch(url: str, *, allow_private: bool) -> Page:
    """The page at a URL after redirects; a Mistake when there is none or its host is not public.

    Only with `allow_private` does it go through the proxy of the environment (HTTPS_PROXY, NO_PROXY): a proxy looks
    names up itself, so that the address which was checked need not be the one that is reached.
    """
    import httpx

    from codeflow.tools.public_network import NotPublicError, PublicTransport

    transport = None if allow_private else PublicTransport()
    try:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            _client(transport, redirects=_MOST_REDIRECTS) as client,
            client.stream("GET", url) as answer,
        ):
            body, complete = await _bounded(answer)
    except NotPublicError as error:
        raise Mistake(f"Refused: {error}. Fetch public pages only.") from error
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        direct = "" if allow_private or not getproxies() else _DIRECT
        raise Mistake(_unreachable(url, error) + direct) from error
    if answer.is_error:
        raise Mistake(f"{url} answered {answer.status_code} {answer.reason_phrase}; try another source.")
    return Page(
        url=str(answer.url),
        media_type=answer.headers.get("content-type", "").partition(";")[0].strip().lower(),
        encoding=answer.charset_encoding or "utf-8",
        body=body,
        complete=complete,
    )


async def ask(request: ApiRequest) -> Any:
    """The JSON that a service answers; a Mistake when it refuses or cannot be reached."""
    import httpx

    method = "GET" if request.sent is None else "POST"
    try:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            _client(None, redirects=0) as client,
            client.stream(
                method, request.url, params=request.parameters, headers=request.headers, json=request.sent
            ) as answer,
        ):
            body, _ = await _bounded(answer)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise Mistake(_unreachable(request.service, error)) from error
    if not answer.is_success:
        raise Mistake(_refused(request, answer.status_code, body))
    try:
        return json.loads(body)
    except ValueError as error:
        raise Mistake(f"{request.service} did not answer with JSON; go on without it.") from error


def _client(transport: "httpx.AsyncBaseTransport | None", *, redirects: int) -> "httpx.AsyncClient":
    import httpx

    return httpx.AsyncClient(
        transport=transport,
        headers=_HEADERS,
        timeout=_TIMEOUT_S,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
    )


async def _bounded(answer: "httpx.Response") -> tuple[bytes, bool]:
    """The decoded body, and whether it is all of it."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _MOST_BYTES:
            return bytes(body[:_MOST_BYTES]), False
    return bytes(body), True


def _unreachable(what: str, error: Exception) -> str:
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return f"{what} did not answer within {_TIMEOUT_S:g} s; go on without it."
    reason = str(error) or type(error).__name__
    return f"{what} cannot be reached ({reason}); offline, docs_search still answers from this machine."


def _refused(request: ApiRequest, status: int, body: bytes) -> str:
    said = " ".join(body[:300].decode(errors="replace").split())
    match status:
        case 401 | 403:
            advice = request.forbidden
        case 429:
            advice = "its limit is reached; do not ask again soon"
        case _:
            advice = "go on without it"
    return f"{request.service} answered {status}: {advice}. It said: {said}"
