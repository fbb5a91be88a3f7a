"""What a project's files say of a package decides what is installed; pip itself runs on wheels in a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.tools.test_tools_packages import PYPROJECT, make_wheel, project  # noqa: F401 - a fixture

from codeflow.tools.packages import install_dependency
from codeflow.tools.packages_manifest import wish
from codeflow.tools.packages_requirements import Listed, read_requirements
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace


@pytest.fixture
def shop(project: Workspace, tmp_path: Path) -> Callable[..., Workspace]:  # noqa: F811 - the fixture
    """A project of requirements files; there are sums 1.4, 1.5 and 2.0."""
    for version in ("1.4", "2.0"):
        make_wheel(tmp_path / "wheels", version)
    (project.root / "pyproject.toml").unlink()

    def make(**files: str) -> Workspace:
        write(project.root, files)
        return project

    return make


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / f"{name.replace('__', '/').replace('_', '-')}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


def installed(ws: Workspace) -> list[str]:
    return sorted(folder.name for folder in ws.root.glob(".venv/lib/python*/site-packages/sums-*"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"requirements": "-r extra.txt\n", "extra": "sums==1.4\n"}, "'sums==1.4' in extra.txt"),
        (
            {"requirements": "-rrequirements/base.txt", "requirements__base": "--requirement=more.txt\n"}
            | {"requirements__more": "# a\nsums==1.4 \\\n  ; python_version > '3'  # b\n"},
            "in requirements/more.txt",
        ),
        ({"requirements": "Sums>=1,<1.5  # old\n"}, "'Sums>=1,<1.5' in requirements.txt"),
    ],
    ids=["one file further", "two, in a folder", "the file itself"],
)
async def test_without_a_version_what_is_listed_is_installed(
    shop: Callable[..., Workspace], files: dict[str, str], said: str
):
    ws = shop(**files)
    result = await install_dependency.function(ws, "SUMS")
    assert not result.is_error, result.content
    assert installed(ws) == ["sums-1.4.dist-info"]
    assert "The manifest listed it before" in result.content
    assert said in result.content
    assert result.changed == ()


async def test_what_is_added_keeps_to_constraints(shop: Callable[..., Workspace]):
    ws = shop(requirements="-c pins/all.txt\nother\n", pins__all="sums<1.5\n")
    result = await install_dependency.function(ws, "sums")
    assert result.changed == ("requirements.txt",)
    assert (ws.root / "requirements.txt").read_text() == "-c pins/all.txt\nother\nsums>=1.4\n"
    assert installed(ws) == ["sums-1.4.dist-info"]


async def test_what_the_other_file_says_holds_too(shop: Callable[..., Workspace]):
    ws = shop(requirements="-r extra.txt\n", extra="sums<2\n")
    result = await install_dependency.function(ws, "sums", dev=True)
    assert result.changed == ("requirements-dev.txt",)
    assert (ws.root / "requirements-dev.txt").read_text() == "sums>=1.5\n"
    assert installed(ws) == ["sums-1.5.dist-info"]


async def test_versions_that_files_contradict_are_not_installed(shop: Callable[..., Workspace]):
    ws = shop(requirements="-c pins.txt\n", requirements_dev="sums<2\n", pins="other==1\n")
    result = await install_dependency.function(ws, "sums==2.0")
    assert result.is_error
    assert "conflict" in result.content.lower()
    result = await install_dependency.function(ws, "sums==2.0", dev=True)
    assert "Nothing was installed: sums==2.0 was asked for, but the manifest says 'sums<2'" in result.content
    assert installed(ws) == []


async def test_what_a_marker_rules_out_is_no_success(shop: Callable[..., Workspace]):
    ws = shop(requirements="sums==1.4 ; python_version < '3'\n")
    result = await install_dependency.function(ws, "sums")
    assert result.is_error
    assert "sums==1.4 ; python_version < '3' rules it out here" in result.content


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"requirements": "-r missing.txt\n"}, "requirements.txt has 'missing.txt'"),
        ({"requirements": "-c ../pins.txt\n"}, "requirements.txt has '../pins.txt'"),
        ({"requirements_dev": "-c pins.txt\n", "pins": "-r more.txt\n"}, "pins.txt has '-r more.txt'"),
        ({"requirements": "-c pins.txt\n", "pins": "--index-url http://x\n"}, "pins.txt has"),
        ({"requirements": "-c pins.txt\n", "pins": "other @ http://x/y.whl\n"}, "pins.txt has 'other @"),
        ({"requirements": "sums @ git+https://x/y\n"}, "requirements.txt has 'sums @ git+https://x/y'"),
        ({"requirements": "sums/evil.whl\n"}, "requirements.txt has 'sums/evil.whl'"),
    ],
)
def test_files_that_cannot_be_followed_are_named(tmp_path: Path, files: dict[str, str], named: str):
    write(tmp_path, files)
    with pytest.raises(Mistake) as refusal:
        wish(tmp_path, "sums", dev=False)
    assert named in str(refusal.value)


def test_a_requirements_file_is_read_with_all_that_it_names(tmp_path: Path):
    files = {
        "requirements": "-r a/b.txt\n--index-url http://x\n-e ./here\none[x]>=1 --hash=sha256:0 \\\n --hash=sha256:1\n",
        "a__b": "-r ../requirements.txt\n-c c.txt\nTwo#3\nthree # 4\n",
        "a__c": "four==4\n-c ../d.txt\n",
        "d": "five==5\n",
    }
    write(tmp_path, files)
    found = read_requirements(tmp_path, "requirements.txt")
    assert found.listed == [
        Listed("a/b.txt", "Two#3"),
        Listed("a/b.txt", "three"),
        Listed("requirements.txt", "one[x]>=1"),
    ]
    assert found.constraints == ["a/c.txt", "d.txt"]
    assert (found.strange, found.unread) == ([], [])
    assert read_requirements(tmp_path, "none.txt").listed == []


@pytest.mark.parametrize("wanted", ["a==2", "a>=1.16", "a~=1.1", "a != 3", "a[x]==1"])
def test_other_versions_than_those_listed_are_said(tmp_path: Path, wanted: str):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("other>=2", "a==1"))
    with pytest.raises(Mistake, match=r"the manifest says 'a==1' \(pyproject\.toml\)"):
        wish(tmp_path, wanted, dev=False)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("other>=2", wanted))
    assert wish(tmp_path, wanted.replace(" ", ""), dev=False).listed == Listed("pyproject.toml", wanted)
