from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import UsageError
from codeflow.core.settings import ALWAYS_OWN, TRUSTED_ONLY, leaves, load_settings, merge
from codeflow.core.values import Mode

tables = st.recursive(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers()),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner | st.integers()),
    max_leaves=8,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@given(tables, tables)
def test_every_leaf_of_the_later_layer_survives_a_merge(base, over):
    merged = dict(leaves(merge(base, over)))
    assert all(merged[key] == value for key, value in leaves(over))


@given(tables)
def test_merging_nothing_changes_nothing(table):
    assert merge(table, {}) == table
    assert merge({}, table) == table


def test_packaged_defaults_alone_are_valid(tmp_path, home):
    settings = load_settings(tmp_path, env=home)
    assert settings.run.max_cost == Decimal("2.00")
    assert settings.run.mode is Mode.EDIT


def test_project_beats_user_and_environment_beats_both_and_flags_beat_all(tmp_path, home):
    write(tmp_path / "config" / "codeflow", "[run]\nmax_turns = 1\ntimeout_s = 1\nroster = 'user'\n")
    write(tmp_path / ".codeflow", "[run]\nmax_turns = 2\ntimeout_s = 2\n")
    env = {**home, "CODEFLOW_RUN__MAX_TURNS": "3"}
    settings = load_settings(tmp_path, env=env, flags={"run": {"max_turns": 4}})
    assert (settings.run.roster, settings.run.timeout_s, settings.run.max_turns) == ("user", 2.0, 4)
    assert load_settings(tmp_path, env=env).run.max_turns == 3


def test_no_limit_is_spelt_none(tmp_path, home):
    assert load_settings(tmp_path, env=home, flags={"run": {"max_cost": "none"}}).run.max_cost is None


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("run", "max_cost"),
        ("run", "max_cost_session"),
        ("run", "max_cost_day"),
        ("run", "max_tokens"),
        ("faults", "call_timeout_s"),
    ],
)
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_limit_is_not_no_limit(tmp_path, home, section, name, empty):
    variable = {f"CODEFLOW_{section}__{name}".upper(): empty}
    with pytest.raises(UsageError, match=rf'{section}\.{name}: .*empty; write "none" for no limit'):
        load_settings(tmp_path, env=home | variable)
    flag = name.removesuffix("_s").replace("_", "-")
    with pytest.raises(UsageError, match=f"--{flag}: .*empty"):
        load_settings(tmp_path, env=home, flags={section: {name: empty}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[run]\nmax_turms = 3\n", "run.max_turms: unknown setting"),
        ("[run]\nmax_turns = 'many'\n", "run.max_turns"),
        ("[run\n", "not valid TOML"),
        ("[nonsense]\nx = 1\n", "nonsense"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_key(tmp_path, home, text, expected):
    path = write(tmp_path / ".codeflow", text)
    with pytest.raises(UsageError, match=r"settings\.toml") as caught:
        load_settings(tmp_path, env=home)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("key", sorted(TRUSTED_ONLY))
def test_an_untrusted_project_cannot_set_what_could_harm(tmp_path, home, key):
    section, _, name = key.rpartition(".")
    write(tmp_path / ".codeflow", (f"[{section}]\n" if section else "") + f"{name} = 'x'\n")
    with pytest.raises(UsageError, match="not trusted"):
        load_settings(tmp_path, env=home)


def test_a_trusted_project_may_name_its_test_command(tmp_path, home):
    write(tmp_path / "config" / "codeflow", f"trusted_folders = ['{tmp_path}']\n")
    write(tmp_path / ".codeflow", "[gates]\ntests = 'make test'\n")
    assert load_settings(tmp_path, env=home).gates.tests == "make test"


@pytest.mark.parametrize("key", sorted(ALWAYS_OWN))
def test_not_even_a_trusted_project_says_what_of_its_users_own_is_shown(tmp_path, home, key):
    write(tmp_path / "config" / "codeflow", f"trusted_folders = ['{tmp_path}']\n")
    section, _, name = key.rpartition(".")
    write(tmp_path / ".codeflow", (f"[{section}]\n" if section else "") + f"{name} = ['*']\n")
    with pytest.raises(UsageError, match=key):
        load_settings(tmp_path, env=home)


def test_a_project_cannot_trust_itself(tmp_path, home):
    write(tmp_path / "config" / "codeflow", f"trusted_folders = ['{tmp_path}']\n")
    write(tmp_path / ".codeflow", "trusted_folders = ['/']\n")
    with pytest.raises(UsageError, match="trusted_folders"):
        load_settings(tmp_path, env=home)
