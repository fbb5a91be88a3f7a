"""Stack Overflow through the Stack Exchange API, without a key: 300 requests a day for one address."""

import asyncio
from dataclasses import dataclass
from html import unescape
from typing import Any

from codeflow.tools.tool import Mistake
from codeflow.tools.web_client import ApiRequest, ask

_LONGEST_BODY = 1500
_ANSWERS_PER_QUESTION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Questions as text; `wait_s` is how long the service wants to be left alone, 0 when it did not say."""

    questions: list[str]
    wait_s: int


async def find_questions(endpoint: str, query: str, count: int) -> Found:
    """The most relevant questions, each with the accepted answer, else the one with the most votes."""
    found = await _ask(endpoint, "search/advanced", q=query, sort="relevance", pagesize=count)
    questions = found["items"]
    ids = ";".join(str(question["question_id"]) for question in questions if question["answer_count"])
    wait_s = int(found.get("backoff", 0))
    best: dict[int, Any] = {}
    if ids:
        most = count * _ANSWERS_PER_QUESTION
        answers = await _ask(endpoint, f"questions/{ids}/answers", sort="votes", pagesize=most)
        wait_s = max(wait_s, int(answers.get("backoff", 0)))
        for answer in answers["items"]:
            known = best.get(answer["question_id"])
            if known is None or answer["is_accepted"]:
                best[answer["question_id"]] = answer
    texts = [
        await asyncio.to_thread(_described, question, best.get(question["question_id"]))
        for question in questions
    ]
    return Found(questions=texts, wait_s=wait_s)


async def _ask(endpoint: str, method: str, **parameters: str | int) -> Any:
    answer = await ask(
        ApiRequest(
            service="Stack Overflow",
            url=f"{endpoint.rstrip('/')}/2.3/{method}",
            parameters={"site": "stackoverflow", "order": "desc", "filter": "withbody", **parameters},
            headers={},
        )
    )
    if not isinstance(answer, dict) or "items" not in answer:
        raise Mistake("Stack Overflow answered in an unknown form; go on without it.")
    return answer


def _described(question: Any, answer: Any | None) -> str:
    head = f"## {unescape(question['title'])}\n{question['link']} ({question['score']} votes)"
    asked = _body(question["body"])
    if answer is None:
        return f"{head}\n{asked}\n### No answer yet"
    kind = "Accepted answer" if answer["is_accepted"] else "Best answer"
    return f"{head}\n{asked}\n### {kind} ({answer['score']} votes)\n{_body(answer['body'])}"


def _body(html: str) -> str:
    from codeflow.tools.html import html_text

    text = html_text(html)
    return text if len(text) <= _LONGEST_BODY else f"{text[:_LONGEST_BODY]}… [cut; fetch_page shows all]"
