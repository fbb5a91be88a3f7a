import stat

import pytest

from codeflow.core.errors import UsageError
from codeflow.core.settings_file import drafted

VALUES = {"run.roster": "open", "models.profile": "", "models.region": "eu-west-1"}


@pytest.fixture
def env(tmp_path):
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "codeflow").mkdir()
    return tmp_path / "codeflow/settings.toml"


def test_a_new_file_has_what_is_no_default_and_is_private(env, tmp_path):
    draft = drafted(VALUES, env)
    draft.write()
    assert draft.path.read_text() == '[run]\nroster = "open"\n\n[models]\nregion = "eu-west-1"\n'
    assert stat.S_IMODE(draft.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# top\n[models] # here\nregion = "x" # there\nprofile = "p"\n',
            '# top\n[models] # here\nregion = "eu-west-1" # there\nprofile = ""\n\n[run]\nroster = "open"\n',
        ),
        (
            'models.region = "x"\n[run]\r\nroster = "open"\r\n',
            'models.region = "eu-west-1"\n[run]\r\nroster = "open"\r\n',
        ),
        (
            'run = {roster = "a"}\nmodels = {region = "eu-west-1"}',
            'run = {roster = "open"}\nmodels = {region = "eu-west-1"}',
        ),
    ],
)
def test_what_is_not_meant_stays(env, path, before, after):
    path.write_bytes(before.encode())
    drafted(VALUES, env).write()
    assert path.read_bytes().decode() == after


def test_nothing_to_change_is_no_diff(env, path):
    path.write_text('[run]\nroster = "open"\n[models]\nregion = "eu-west-1"\n')
    assert drafted(VALUES, env).diff == ""


def test_a_link_stays_a_link(env, path, tmp_path):
    (tmp_path / "dotfiles.toml").write_text("# mine\n")
    path.symlink_to(tmp_path / "dotfiles.toml")
    drafted(VALUES, env).write()
    assert path.is_symlink()
    assert 'roster = "open"' in (tmp_path / "dotfiles.toml").read_text()


@pytest.mark.parametrize("text", ["[run", "run = 1\n", "\xff"])
def test_a_file_that_cannot_be_changed_is_named(env, path, text):
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"settings\.toml"):
        drafted(VALUES, env)


def test_what_was_changed_meanwhile_is_not_overwritten(env, path):
    draft = drafted(VALUES, env)
    path.write_text("# by an editor\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        draft.write()
    assert [file.name for file in path.parent.iterdir()] == ["settings.toml"]
    assert path.read_text() == "# by an editor\n"
