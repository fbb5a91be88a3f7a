from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.errors import UsageError
from codeflow.models.catalogue import Catalogue, ModelSpec

CATALOGUE = Catalogue.load()
HAIKU = "anthropic.claude-haiku-5-5"


def found(model_id: str) -> ModelSpec:
    spec = CATALOGUE.find(model_id)
    assert spec is not None
    return spec


@pytest.mark.parametrize(
    "model_id",
    [
        HAIKU,
        f"global.{HAIKU}",
        f"us.{HAIKU}",
        f"us-gov.{HAIKU}",
        f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{HAIKU}",
        f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}",
    ],
)
def test_prefixes_and_arns_lead_to_the_model_and_keep_the_invoked_id(model_id):
    spec = found(model_id)
    assert (spec.id, spec.model_id) == (HAIKU, model_id)


@pytest.mark.parametrize(
    "model_id",
    [
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
        "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/anthropic.claude:1",
        "haiku",
        "",
    ],
)
def test_ids_that_do_not_tell_their_model_are_not_guessed(model_id):
    assert CATALOGUE.find(model_id) is None


def test_a_regional_id_carries_its_premium_and_a_global_one_does_not():
    for model_id, factor in ((f"global.{HAIKU}", Decimal(1)), (f"eu.{HAIKU}", Decimal("1.1"))):
        spec = found(model_id)
        assert spec.price is not None
        assert spec.long_prompt is not None
        assert spec.price.input == Decimal("0.1") * factor
        assert spec.long_prompt.prices.cache_write == Decimal("0.625") * factor


def test_nova_has_no_regional_premium():
    price = found("us.amazon.nova-pro-v1:0").price
    assert price is not None
    assert price.output == Decimal("3.2")


def test_answers_are_capped_below_the_models_maximum_to_save_quota():
    assert found(HAIKU).max_tokens == 16_000
    assert found("us.meta.llama3-3-70b-instruct-v1:0").max_tokens == 4_096


def test_a_mistyped_model_is_refused_with_the_nearest_ids():
    with pytest.raises(UsageError) as refusal:
        CATALOGUE.resolve("claude-sonet-5-5")
    assert "global.anthropic.claude-sonnet-5-5" in refusal.value.hint


def test_a_name_like_nothing_is_refused_without_a_guess():
    with pytest.raises(UsageError, match="unknown model"):
        CATALOGUE.require("🦀")


@pytest.mark.parametrize(
    "model_id",
    ["global.acme.thinker-9-v1:0", "ollama:mistral:7b", "arn:aws:bedrock:us-east-1:1:provisioned-model/x"],
)
def test_a_well_formed_unknown_id_runs_without_a_price(model_id):
    spec = CATALOGUE.resolve(model_id)
    assert spec.model_id == model_id
    assert spec.price is None
    assert not spec.forced_tool_choice


def test_every_entry_is_dated_sourced_and_within_its_context():
    for spec in CATALOGUE.models.values():
        assert spec.priced_on
        assert spec.source
        assert spec.max_output <= spec.context
        assert (spec.cache == "explicit") == bool(spec.cache_points)


def test_a_broken_catalogue_names_its_file(tmp_path: Path):
    file = tmp_path / "models.toml"
    file.write_text('[[model]]\nid = "x"\n')
    with pytest.raises(UsageError, match=r"models\.toml"):
        Catalogue.load(file)
