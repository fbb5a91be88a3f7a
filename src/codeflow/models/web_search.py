"""Web search by Amazon Bedrock AgentCore, with the credentials and the region of the models.

AWS bills it for itself: what it costs is not part of a run's cost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from codeflow.core.errors import CodeflowError
from codeflow.core.settings import ModelSettings
from codeflow.models.bedrock import open_session

_TOOL = "web-search.v1"
_LONGEST_QUERY = 200
_TIMEOUT_S = 30


def agentcore_search(
    settings: ModelSettings, endpoint_url: str
) -> Callable[[str, int], Awaitable[Sequence[Mapping[str, Any]]]]:
    """A search: query and count to results with `text` and, where known, `title` and `url`.

    It raises a CodeflowError when it cannot be asked. `endpoint_url` is empty for AWS's own.
    """

    async def search(query: str, count: int) -> Sequence[Mapping[str, Any]]:
        if len(query) > _LONGEST_QUERY:
            raise CodeflowError(
                f"AgentCore takes queries of up to {_LONGEST_QUERY} characters", hint="Ask in fewer words."
            )
        return await asyncio.to_thread(_ask, settings, endpoint_url, query, count)

    return search


def _ask(settings: ModelSettings, endpoint_url: str, query: str, count: int) -> Sequence[Mapping[str, Any]]:
    config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 2})
    try:
        client: Any = open_session(settings).client(
            "bedrock-agentcore", endpoint_url=endpoint_url or None, config=config
        )
        if not hasattr(client, "invoke_web_search"):
            raise CodeflowError("This boto3 does not know AgentCore's web search", hint="Upgrade boto3.")
        answer = client.invoke_web_search(webSearchId=_TOOL, searchQuery=query, maxResults=count)
    except ClientError as error:
        raise _refused(error) from error
    except BotoCoreError as error:
        raise CodeflowError(
            f"AgentCore could not be asked: {error}", hint="Tell the user to run `codeflow doctor`."
        ) from error
    results: Sequence[Mapping[str, Any]] = answer["results"]
    return results


def _refused(error: ClientError) -> CodeflowError:
    said = error.response.get("Error", {})
    code = said.get("Code", "")
    hints = {
        "AccessDeniedException": "The credentials need bedrock-agentcore:InvokeWebSearch; tell the user.",
        "ThrottlingException": "Do not ask again soon.",
    }
    return CodeflowError(
        f"AgentCore refused: {code}: {said.get('Message', '')}", hint=hints.get(code, "Go on without it.")
    )
