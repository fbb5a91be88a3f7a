import pytest
from tests.unit.models.guarded_bench import GOOD, Bench, refused, reply, text

from codeflow.agents.context.summary import Summarizer
from codeflow.core.errors import BudgetExceededError, CredentialsError, ModelError


async def test_a_record_becomes_a_summary_by_one_metered_call():
    bench = Bench(GOOD)
    assert await Summarizer(bench.model)("what happened") == "Done."
    assert len(bench.calls) == 1
    assert bench.provider.seen[0]["messages"][0]["content"][0]["text"] == "what happened"


async def test_a_record_is_bounded_by_the_summarizers_own_window():
    assert Summarizer(Bench(GOOD).model).record_chars == 150_000


@pytest.mark.parametrize(
    "script",
    [
        [refused("ValidationException", "Input is too long for requested model.")],
        [refused("AccessDeniedException", status=403)],
        reply(text("  ")),
    ],
)
async def test_whatever_else_goes_wrong_is_one_kind_of_error(script):
    with pytest.raises(ModelError):
        await Summarizer(Bench(script, script).model)("what happened")


async def test_no_money_and_no_credentials_end_the_run():
    with pytest.raises(BudgetExceededError):
        await Summarizer(Bench(allowance=0).model)("what happened")
    with pytest.raises(CredentialsError):
        await Summarizer(Bench([refused("ExpiredTokenException", "expired", 403)]).model)("what happened")
