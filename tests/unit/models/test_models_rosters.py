from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity
from codeflow.models.catalogue import Catalogue
from codeflow.models.rosters import ROLES, Roster, packaged_rosters

CATALOGUE = Catalogue.load()
SEED = {
    "router": "amazon.nova-micro-v1:0",
    "architect": "anthropic.claude-opus-4-1-20250805-v1:0",
    "senior_coder": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "fast_coder": "amazon.nova-pro-v1:0",
    "test_engineer": "meta.llama3-3-70b-instruct-v1:0",
    "reviewer": "amazon.nova-pro-v1:0",
    "debugger": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "documentation": "amazon.nova-lite-v1:0",
}


def written(folder: Path, text: str) -> str:
    file = folder / "mine.toml"
    file.write_text(text)
    return str(file)


def complete(extra: str = "") -> str:
    return "[roles]\n" + "".join(f'{role} = ["amazon.nova-pro-v1:0"]\n' for role in ROLES) + extra


@pytest.mark.parametrize("name", packaged_rosters())
def test_every_model_of_every_packaged_roster_is_known_and_priced(name):
    roster = Roster.load(name)
    for choices in roster.roles.values():
        for model_id in choices:
            assert roster.spec(CATALOGUE, model_id).price is not None


def test_the_packaged_rosters_are_the_documented_ones():
    assert packaged_rosters() == ["classic", "current", "local", "open"]


def test_classic_plays_the_first_designs_models():
    roster = Roster.load("classic")
    first = {role: roster.spec(CATALOGUE, roster.candidates(role)[0]).id for role in ROLES}
    assert first == SEED


@pytest.mark.parametrize("name", ["current", "open"])
def test_the_reviewer_is_of_another_family_than_the_coder(name):
    roster = Roster.load(name)
    coder, reviewer = (
        roster.spec(CATALOGUE, roster.candidates(r)[0]).vendor for r in ("senior_coder", "reviewer")
    )
    assert coder != reviewer


def test_a_complexity_may_have_its_own_models():
    roster = Roster.load("current")
    usual = roster.candidates("senior_coder", Complexity.SIMPLE)
    critical = roster.candidates("senior_coder", Complexity.CRITICAL)
    assert usual == roster.candidates("senior_coder")
    assert critical != usual


def test_an_override_replaces_the_first_choice_and_keeps_the_fallbacks():
    roster = Roster.load("current")
    first, second = roster.candidates("architect")
    assert roster.candidates("architect", override="ollama:x") == ("ollama:x", second)
    assert roster.candidates("architect", override=second) == (second,)
    assert first not in roster.candidates("architect", override=second)


def test_a_roster_corrects_what_the_catalogue_knows(tmp_path: Path):
    extra = '[models."amazon.nova-pro-v1:0"]\nmax_tokens = 5_000\n[models."openai:m"]\nmax_output = 9_000\n'
    roster = Roster.load(written(tmp_path, complete(extra)))
    corrected = roster.spec(CATALOGUE, "amazon.nova-pro-v1:0")
    assert corrected.max_tokens == 5_000
    assert corrected.price is not None
    assert corrected.price.input == Decimal("0.8")
    assert roster.spec(CATALOGUE, "openai:m").max_tokens == 9_000


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (complete('architekt = ["x"]'), "architekt is not a role .did you mean architect"),
        (complete().replace("router", "# router"), "role router is missing"),
        (complete('"router.SIMPLE" = []'), "router.SIMPLE names no model"),
        (complete("[other]"), "other"),
        ("[roles", "mine.toml"),
        ("roles = 3", "mine.toml"),
    ],
)
def test_an_unusable_roster_names_the_file_and_the_place(tmp_path, text, problem):
    with pytest.raises(UsageError, match=problem):
        Roster.load(written(tmp_path, text))


def test_an_unusable_correction_names_the_key(tmp_path: Path):
    roster = Roster.load(written(tmp_path, complete('[models."ollama:x"]\ncolour = 1\n')))
    with pytest.raises(UsageError, match="colour"):
        roster.spec(CATALOGUE, "ollama:x")


@pytest.mark.parametrize("name", ["curent", "../current", ""])
def test_an_unknown_roster_is_refused(name):
    with pytest.raises(UsageError, match="unknown roster"):
        Roster.load(name)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be read"):
        Roster.load(str(tmp_path / "none.toml"))


def test_an_unknown_role_is_refused_with_the_nearest_names():
    with pytest.raises(UsageError, match="did you mean senior_coder"):
        Roster.load("current").candidates("senior_coderr")
