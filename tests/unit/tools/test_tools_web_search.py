from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.tools.web_server import Answer, WebServer, running_web_server

from codeflow.core.settings import ResearchSettings, load_settings
from codeflow.core.values import ToolResult
from codeflow.models.web_search import agentcore_search
from codeflow.tools.research import Research
from codeflow.tools.web import stackoverflow_search, web_search
from codeflow.tools.workspace import Workspace

PATHS = {"tavily": "/search", "exa": "/search", "brave": "/res/v1/web/search", "searxng": "/search"}
EXCERPTS = {"tavily": "content", "exa": "highlights", "brave": "description", "searxng": "content"}
PROVIDERS = sorted(PATHS)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running_web_server() as server:
        yield server


def use(ws: Workspace, server: WebServer, provider: str) -> Workspace:
    ws.research = Research(provider=provider, endpoints={provider: f"{server.url}/"}, keys={provider: "k3y"})
    return ws


def results(provider: str, count: int) -> dict[str, Any]:
    long = "some\n words " * 100
    text = [long, "more"] if provider == "exa" else long
    hits: list[dict[str, Any]] = [
        {"title": f"T{n}", "url": f"https://x.example/{n}", EXCERPTS[provider]: text} for n in range(count)
    ]
    listed = {"results": [*hits, {"title": "no address"}]}
    return {"web": listed} if provider == "brave" else listed


async def search(ws: Workspace, count: int = 5) -> ToolResult:
    return await web_search.function(ws, " how to ", count)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_each_provider_is_asked_in_its_way(ws: Workspace, server: WebServer, provider: str):
    server.says_json(PATHS[provider], results(provider, 4))
    result = await search(use(ws, server, provider), 3)
    assert result.content.startswith("T0\nhttps://x.example/0\nsome words some")
    assert result.source == f"{provider} search"
    assert result.display == "3 results"
    assert "T3" not in result.content
    assert len(result.content) < 2_500
    (asked,) = server.asked
    question = asked.json if asked.method == "POST" else {k: v[0] for k, v in asked.parameters.items()}
    assert "how to" in question.values()
    assert provider == "searxng" or "k3y" in " ".join(asked.headers.values())


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_results_are_no_error(ws: Workspace, server: WebServer, provider: str):
    server.says_json(PATHS[provider], {})
    assert (await search(use(ws, server, provider))).content == "No results; use other words."


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "its key or its settings are wrong"), (429, "limit is reached"), (500, "500"), (302, "302")],
)
async def test_refusals_say_what_to_do_and_a_key_follows_no_redirect(
    ws: Workspace, server: WebServer, status: int, message: str
):
    server.answers["/search"] = Answer(status=status, body=b"because", headers={"Location": "/elsewhere"})
    result = await search(use(ws, server, "exa"))
    assert result.is_error
    assert message in result.content
    assert "because" in result.content
    assert "k3y" not in result.content
    assert len(server.asked) == 1


async def test_an_answer_that_is_no_json_is_explained(ws: Workspace, server: WebServer):
    server.says("/search", "<html>")
    assert "did not answer with JSON" in (await search(use(ws, server, "tavily"))).content


async def test_a_service_that_is_away_is_explained_in_one_line(ws: Workspace):
    ws.research = Research(provider="searxng", endpoints={"searxng": "http://127.0.0.1:1"})
    result = await search(ws)
    assert "SearXNG cannot be reached" in result.content
    assert "\n" not in result.content


async def test_brave_is_not_asked_what_it_would_refuse(ws: Workspace, server: WebServer):
    result = await web_search.function(use(ws, server, "brave"), "word " * 51)
    assert result.content.startswith("Brave Search takes queries of up to 400 characters and 50 words")
    assert server.asked == []


async def test_a_searxng_that_gives_no_json_is_explained(ws: Workspace, server: WebServer):
    server.answers["/search"] = Answer(status=403)
    assert "its search.formats lacks json" in (await search(use(ws, server, "searxng"))).content


async def test_without_a_provider_it_says_what_to_set(ws: Workspace):
    result = await search(ws)
    assert result.is_error
    assert "TAVILY_API_KEY, EXA_API_KEY, BRAVE_API_KEY, research.searxng_url or" in result.content
    assert (await web_search.function(ws, " ")).content == "The query is empty."


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "s", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def use_agentcore(ws: Workspace, server: WebServer, tmp_path: Path) -> Workspace:
    ask = agentcore_search(load_settings(tmp_path, env={}).models, server.url)
    ws.research = Research(provider="agentcore", agentcore=ask)
    return ws


async def test_agentcore_is_asked_through_botocore(
    ws: Workspace, server: WebServer, tmp_path: Path, aws: None
):
    hit = {"title": "T0", "url": "https://x.example/0", "text": "some\n words"}
    server.says_json("/web-search/web-search.v1/invoke", {"results": [hit, {"text": "bare"}]})
    result = await search(use_agentcore(ws, server, tmp_path), 2)
    assert "T0\nhttps://x.example/0\nsome words" in result.content
    assert "(no title)\n(no address)\nbare" in result.content
    (asked,) = server.asked
    assert asked.json == {"searchQuery": "how to", "maxResults": 2}
    assert "/us-east-1/bedrock-agentcore/aws4_request" in asked.headers["authorization"]


async def test_agentcore_that_refuses_says_what_to_do(
    ws: Workspace, server: WebServer, tmp_path: Path, aws: None
):
    refusal = Answer(
        status=403,
        body=b'{"message": "not you"}',
        headers={"x-amzn-ErrorType": "AccessDeniedException", "Content-Type": "application/json"},
    )
    server.answers["/web-search/web-search.v1/invoke"] = refusal
    result = await search(use_agentcore(ws, server, tmp_path))
    assert result.content == (
        "AgentCore refused: AccessDeniedException: not you. "
        "The credentials need bedrock-agentcore:InvokeWebSearch; tell the user."
    )
    long = await web_search.function(ws, "x" * 201)
    assert long.content == "AgentCore takes queries of up to 200 characters. Ask in fewer words."


def research(tmp_path, **flags: Any) -> ResearchSettings:
    return load_settings(tmp_path, env={}, flags={"research": flags}).research


@pytest.mark.parametrize(
    ("flags", "env", "provider"),
    [
        ({}, {}, None),
        ({}, {"BRAVE_API_KEY": "b", "EXA_API_KEY": "e"}, "exa"),
        ({"searxng_url": "http://s"}, {}, "searxng"),
        ({"provider": "brave"}, {"BRAVE_API_KEY": "b", "EXA_API_KEY": "e"}, "brave"),
        ({"provider": "brave"}, {"EXA_API_KEY": "e"}, None),
        ({"provider": "agentcore"}, {}, "agentcore"),
        ({"provider": "off"}, {"EXA_API_KEY": "e"}, None),
    ],
)
def test_the_provider_is_the_chosen_one_or_the_first_that_can_be_used(
    tmp_path, flags: dict[str, str], env: dict[str, str], provider: str | None
):
    async def ask(_query: str, _count: int) -> list[dict[str, Any]]:
        return []

    assert Research.configured(research(tmp_path, **flags), env, ask).provider == provider


def test_keys_are_not_printed(tmp_path):
    assert "s3cret" not in repr(Research.configured(research(tmp_path), {"EXA_API_KEY": "s3cret"}))


QUESTION = {
    "question_id": 7,
    "title": "Why &quot;x&quot;?",
    "link": "https://stackoverflow.com/q/7",
    "score": 12,
    "answer_count": 2,
    "body": "<p>It <b>fails</b>.</p>",
}
UNANSWERED = QUESTION | {"question_id": 8, "title": "And y?", "answer_count": 0, "body": "<p>?</p>" * 2000}


def answer(text: str, score: int, *, accepted: bool) -> dict[str, Any]:
    return {"question_id": 7, "score": score, "is_accepted": accepted, "body": f"<p>{text}</p>"}


async def test_questions_come_with_their_accepted_answer(ws: Workspace, server: WebServer):
    ws.research = Research(endpoints={"stackexchange": server.url})
    server.says_json("/2.3/search/advanced", {"items": [QUESTION, UNANSWERED]})
    server.says_json(
        "/2.3/questions/7/answers",
        {"items": [answer("popular", 9, accepted=False), answer("right", 3, accepted=True)], "backoff": 10},
    )
    result = await stackoverflow_search.function(ws, "x fails")
    assert '## Why "x"?\nhttps://stackoverflow.com/q/7 (12 votes)\nIt **fails**.' in result.content
    assert "### Accepted answer (3 votes)\nright" in result.content
    assert "[cut; fetch_page shows all]\n### No answer yet" in result.content
    assert "popular" not in result.content
    assert result.content.endswith("[Stack Overflow asks not to be asked again for 10 s]")
    assert server.asked[0].parameters["q"] == ["x fails"]


async def test_no_questions_and_odd_answers_are_told(ws: Workspace, server: WebServer):
    assert "switched off" in (await stackoverflow_search.function(ws, "x")).content
    ws.research = Research(endpoints={"stackexchange": server.url})
    server.says_json("/2.3/search/advanced", {"items": []})
    assert (await stackoverflow_search.function(ws, "x")).content.startswith("No questions found")
    server.says_json("/2.3/search/advanced", [])
    assert "unknown form" in (await stackoverflow_search.function(ws, "x")).content
