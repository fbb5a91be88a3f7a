"""One question to a model, without tools and without a conversation."""

import asyncio
from collections.abc import AsyncIterable
from typing import Any

from strands.types.exceptions import ContextWindowOverflowException

from codeflow.core.errors import BudgetExceededError, CodeflowError, CredentialsError, ModelError
from codeflow.models.guarded import GuardedModel


async def ask_once(model: GuardedModel, system_prompt: str, text: str, *, timeout_s: float) -> str:
    """What the model answers.

    Raises:
        BudgetExceededError, CredentialsError: the run cannot go on either.
        ModelError: for every other reason why there is no answer.
    """
    request: Any = [{"role": "user", "content": [{"text": text}]}]
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _text(model.stream(request, None, system_prompt))
    except (BudgetExceededError, CredentialsError):
        raise
    except ContextWindowOverflowException as error:
        raise ModelError("what it was asked does not fit its window") from error
    except TimeoutError as error:
        raise ModelError(f"no answer within {timeout_s:g} s") from error
    except CodeflowError as error:
        raise ModelError(str(error)) from error
    if not answer:
        raise ModelError("the answer was empty")
    return answer


async def _text(stream: AsyncIterable[Any]) -> str:
    deltas = [event["contentBlockDelta"]["delta"] async for event in stream if "contentBlockDelta" in event]
    return "".join(delta.get("text", "") for delta in deltas).strip()
