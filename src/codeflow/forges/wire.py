"""A forge's REST API: JSON over HTTP, repeated a bounded number of times where that is safe."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from codeflow.core.errors import CodeflowError

if TYPE_CHECKING:
    import httpx

_TRIES = 4
_MOST_WAIT_S = 60.0
"""The longest pause before another try; a forge that asks for more is not waited for."""
_PER_PAGE = 100
_MOST_PAGES = 30
_LIMITED = frozenset({403, 429})
_DOWN = frozenset({500, 502, 503, 504})


class ForgeError(CodeflowError):
    """A forge refused a request or could not be reached; `status_code` is its HTTP status, 0 without an answer."""

    def __init__(self, message: str, *, hint: str = "", status_code: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status_code = status_code


class Wire:
    """Requests to one API, with one token, which is in no message and in no address."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """`pause` waits so many seconds before another try."""
        import httpx

        self._client = httpx.Client(headers={"User-Agent": "codeflow", **headers}, timeout=30.0)
        self._url = url.rstrip("/")
        self._pause = pause

    def get(self, path: str, **parameters: str | int) -> Any:
        """The JSON at a path.

        Raises:
            ForgeError: when there is none.
        """
        return self.send("GET", path, parameters=parameters)

    def pages(self, path: str, **parameters: str | int) -> Iterator[Any]:
        """The elements of a list that comes in pages, up to 3,000; raises what `get` raises."""
        for page in range(1, _MOST_PAGES + 1):
            listed = self.get(path, per_page=_PER_PAGE, page=page, **parameters)
            yield from listed
            if len(listed) < _PER_PAGE:
                return

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        parameters: Mapping[str, str | int] | None = None,
    ) -> Any:
        """What a request is answered with, None for an empty answer. `path` may be a whole address of the same forge.

        A limit of requests and a forge that is down are waited out; a POST that may have been carried out is not
        repeated.

        Raises:
            ForgeError: when it is refused, or still not answered after the last try.
        """
        url = path if "://" in path else f"{self._url}/{path.lstrip('/')}"
        for number in range(1, _TRIES + 1):
            answer, problem = self._try(method, url, body, parameters)
            if answer is not None and answer.is_success:
                return _content(answer, f"{method} {path}")
            wait = _wait(method, answer, number)
            if wait is None or number == _TRIES:
                raise _refused(f"{method} {path}", answer, problem)
            self._pause(wait)
        raise AssertionError("the last try returns or raises")

    def _try(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        parameters: Mapping[str, str | int] | None,
    ) -> "tuple[httpx.Response | None, str]":
        """An answer, or None and why there is none."""
        import httpx

        try:
            return self._client.request(method, url, json=body, params=parameters or None), ""
        except httpx.HTTPError as error:
            return None, str(error) or type(error).__name__


def _content(answer: "httpx.Response", request: str) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        hint = "Check the address of the forge's API."
        raise ForgeError(f"{request}: the answer is no JSON", hint=hint) from error


def _wait(method: str, answer: "httpx.Response | None", number: int) -> float | None:
    """Seconds before the next try; None where another one is no use, or would do twice what is to be done once."""
    pause = 2.0 ** (number - 1)
    if answer is None:
        return None if method == "POST" else pause
    if answer.status_code in _LIMITED:
        return _until_allowed(answer, pause)
    if answer.status_code not in _DOWN or (method == "POST" and answer.status_code != 503):  # noqa: PLR2004 - unavailable
        return None
    return _bounded(answer.headers.get("retry-after"), pause)


def _until_allowed(answer: "httpx.Response", pause: float) -> float | None:
    """How long a limit of requests lasts; None where the refusal has another reason."""
    after = answer.headers.get("retry-after")
    if after is not None:
        return _bounded(after, pause)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        return _bounded(str(float(reset) - time.time()) if reset.isdecimal() else None, _MOST_WAIT_S)
    is_limit = answer.status_code == 429 or "rate limit" in answer.text.lower()  # noqa: PLR2004 - too many requests
    return pause if is_limit else None


def _bounded(seconds: str | None, default: float) -> float | None:
    """The pause that a header asks for; None where that is too long."""
    try:
        asked = default if seconds is None else max(0.0, float(seconds))
    except ValueError:
        asked = default  # a date, which nobody sends for a short pause
    return asked if asked <= _MOST_WAIT_S else None


def _refused(request: str, answer: "httpx.Response | None", problem: str) -> ForgeError:
    if answer is None:
        return ForgeError(
            f"{request}: the forge cannot be reached: {problem}", hint="Check the network and its address."
        )
    said = " ".join(answer.text[:500].split())
    hints = {
        401: "The token is wrong or has expired.",
        403: "The token may not do this: give the job the permissions that docs/ci.md lists.",
        404: "There is no such thing, or the token may not see it.",
    }
    return ForgeError(
        f"{request}: answered {answer.status_code}: {said}",
        hint=hints.get(answer.status_code, ""),
        status_code=answer.status_code,
    )
