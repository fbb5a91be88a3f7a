"""Packages from wheels in a folder: pip itself runs, nothing is fetched."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.values import ToolResult
from codeflow.tools.packages import audit_security, check_updates, install_dependency
from codeflow.tools.packages_audit import _read_cargo, _read_npm, _read_pip
from codeflow.tools.packages_manifest import add_to_pyproject, add_to_requirements
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

PYPROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = [\n  "other>=2", # stays [here]\n]\n\n[tool.x]\ny = 1\n'


def make_wheel(folder: Path, version: str, name: str = "sums") -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sums.py", "TOTAL = 42\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def project(make_workspace: Callable[..., Workspace], tmp_path: Path) -> Workspace:
    """A Python project with an environment whose pip knows one folder of wheels."""
    ws = make_workspace(timeout_s=60)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "1.5")
    base = Path(sys.base_prefix) / "bin/python3"
    command = [str(base), "-m", "venv", "--without-pip", "--system-site-packages", str(ws.root / ".venv")]
    subprocess.run(command, check=True)
    (ws.root / "pyproject.toml").write_text(PYPROJECT)
    ws.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    return ws


def manifest(ws: Workspace) -> dict[str, object]:
    return tomllib.loads((ws.root / "pyproject.toml").read_text())


async def test_a_package_is_installed_and_listed_with_its_version(project: Workspace):
    result = await install_dependency.function(project, "sums")
    assert result.changed == ("pyproject.toml",)
    assert (project.root / "pyproject.toml").read_text() == PYPROJECT.replace(
        "# stays [here]\n", '# stays [here]\n  "sums>=1.5",\n'
    )
    assert len(list(project.root.glob(".venv/lib/python*/site-packages/sums.py"))) == 1
    again = await install_dependency.function(project, "sums")
    assert again.changed == ()
    assert "The manifest listed it before" in again.content


async def test_a_development_dependency_has_its_own_group(project: Workspace):
    await install_dependency.function(project, "sums==1.5", dev=True)
    assert manifest(project)["dependency-groups"] == {"dev": ["sums==1.5"]}


async def test_without_a_project_table_requirements_are_written(project: Workspace):
    (project.root / "pyproject.toml").unlink()
    (project.root / "requirements.txt").write_text("other")
    result = await install_dependency.function(project, "sums")
    assert result.changed == ("requirements.txt",)
    assert (project.root / "requirements.txt").read_text() == "other\nsums>=1.5\n"


async def test_what_cannot_be_installed_leaves_the_manifest_alone(project: Workspace):
    result = await install_dependency.function(project, "no-such-package")
    assert result.is_error
    assert "No matching distribution found for no-such-package" in result.content
    assert (project.root / "pyproject.toml").read_text() == PYPROJECT


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["--index-url=http://evil", "a b", "../x", "", "a;rm -rf x", "git+https://x y"]
)
async def test_what_is_no_package_name_is_refused(project: Workspace, name: str):
    assert "is not a package" in (await install_dependency.function(project, name)).content


async def test_a_project_needs_an_environment_and_one_language(ws: Workspace):
    assert "No package manifest" in (await check_updates.function(ws)).content
    (ws.root / "pyproject.toml").write_text(PYPROJECT)
    assert "python3 -m venv .venv" in (await install_dependency.function(ws, "sums")).content
    (ws.root / "package.json").write_text("{}")
    assert "for: python, javascript. Say which" in (await install_dependency.function(ws, "sums")).content


async def test_newer_versions_are_listed(project: Workspace, tmp_path: Path):
    await install_dependency.function(project, "sums")
    make_wheel(tmp_path / "wheels", "2.0")
    result = await check_updates.function(project)
    assert result.content == (
        "pip: 1 dependencies have a newer version\n  sums 1.5 -> 2.0\n"
        "[listed in the manifest but not installed, so not looked up: other>=2]"
    )


async def test_what_every_environment_has_is_no_dependency_unless_it_is_listed(
    project: Workspace, tmp_path: Path
):
    make_wheel(tmp_path / "wheels", "1.5", "setuptools")
    await install_dependency.function(project, "setuptools==1.5")
    make_wheel(tmp_path / "wheels", "2.0", "setuptools")
    (project.root / "pyproject.toml").write_text(PYPROJECT)
    assert "setuptools" not in (await check_updates.function(project)).content
    (project.root / "requirements.txt").write_text(
        "-r x.txt\nsetuptools  # listed\nsix; python_version < '3'\n"
    )
    content = (await check_updates.function(project)).content
    assert "setuptools 1.5 -> 2.0" in content
    assert "six" not in content


async def test_an_index_out_of_reach_is_not_up_to_date(project: Workspace):
    await install_dependency.function(project, "sums")
    del project.env["PIP_NO_INDEX"]
    project.env["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    result = await check_updates.function(project)
    assert result.is_error
    assert "newer versions are unknown" in result.content


@pytest.mark.slow
async def test_an_advisory_database_out_of_reach_is_not_clean(project: Workspace):
    await install_dependency.function(project, "sums")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        project.env[name] = "http://127.0.0.1:9"
    result = await audit_security.function(project)
    assert result.is_error
    assert result.display.startswith(
        "pip: NOT AUDITED, nothing is known about vulnerabilities; the advisory database could not be reached"
    )
    assert "No known vulnerabilities" not in result.content
    assert len(result.content.splitlines()) == 1


def test_skipped_packages_count_as_not_audited():
    flaw = {"id": "PYSEC-1", "fix_versions": ["2.20"], "description": "Leaks."}
    answer = {
        "dependencies": [
            {"name": "requests", "version": "2.19", "vulns": [flaw]},
            {"name": "own", "skip_reason": "own was not found"},
        ]
    }
    audit = _read_pip(answer)
    assert audit is not None
    assert audit.vulnerabilities == ["  requests 2.19: PYSEC-1, fixed in 2.20. Leaks."]
    assert (audit.audited, audit.unknown) == (1, ["own was not found"])


def test_an_error_of_npm_or_cargo_is_no_clean_audit():
    assert _read_npm({"message": "405 Method Not Allowed", "statusCode": 405}) is None
    assert _read_cargo({"error": "no database"}) is None


def test_findings_of_npm_and_cargo_are_read():
    npm = _read_npm(
        {
            "vulnerabilities": {
                "lodash": {
                    "severity": "high",
                    "range": "<4",
                    "via": [{"title": "Bad."}],
                    "fixAvailable": True,
                }
            },
            "metadata": {"dependencies": {"total": 7}},
        }
    )
    assert npm is not None
    assert npm.vulnerabilities == ["  lodash <4: high, a fix is available. Bad."]
    advisory = {"id": "RUSTSEC-1", "title": "Bad."}
    flaw = {"package": {"name": "x", "version": "1"}, "advisory": advisory, "versions": {"patched": []}}
    cargo = _read_cargo({"vulnerabilities": {"list": [flaw]}, "lockfile": {"dependency-count": 3}})
    assert cargo is not None
    assert cargo.vulnerabilities == ["  x 1: RUSTSEC-1, fixed in no version. Bad."]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
async def test_npm_itself(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(timeout_s=100)
    (ws.root / "package.json").write_text('{"name": "shop", "version": "1.0.0"}')
    installed: ToolResult = await install_dependency.function(ws, "left-pad@1.2.0", dev=True)
    assert installed.changed == ("package.json", "package-lock.json")
    assert "left-pad 1.2.0 -> 1.3.0" in (await check_updates.function(ws)).content
    assert "stays among the devDependencies" in (await install_dependency.function(ws, "left-pad")).content


LAYOUTS = (
    "dependencies = []\n",
    "dependencies = [ ]\n",
    'dependencies = ["a"]\n',
    "dependencies = ['a', \"b[x]>=1\",]\n",
    "dependencies = [\n]\n",
    'dependencies = [\n  "a", # ] not the end\n  "b"\n]\n',
    'dependencies = [\n\t"a",\n\t# last words\n]\n',
    'dependencies = ["a",\n  "b"]\n',
    "",
)


@given(
    layout=st.sampled_from(LAYOUTS),
    before=st.sampled_from(["", 'version = "1"\n']),
    after=st.sampled_from(["", "[tool.x]\ndependencies = ['z']\n", "\n# end"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_one_requirement_is_added_and_nothing_else_changes(
    layout: str, before: str, after: str, newline: str
):
    text = f'[project]\nname = "x"\n{before}{layout}{after}'.replace("\n", newline)
    expected = tomllib.loads(text)
    expected["project"].setdefault("dependencies", []).append("new-one>=1")
    edited = add_to_pyproject(text, "new-one>=1", dev=False)
    assert tomllib.loads(edited) == expected
    assert add_to_pyproject(edited, "New_One", dev=False) == edited
    assert all(line in edited for line in text.splitlines() if line.lstrip().startswith(("#", "[", "name")))


def test_an_extra_named_dev_is_used_where_there_is_one():
    text = '[project]\nname = "x"\n\n[project.optional-dependencies]\ndev = ["a"]\n'
    assert add_to_pyproject(text, "b", dev=True) == text.replace('["a"]', '["a", "b"]')


def test_a_form_that_is_not_understood_is_left_alone():
    with pytest.raises(Mistake, match=r"add 'b' to project\.dependencies yourself"):
        add_to_pyproject('project.name = "x"\nproject.dependencies = ["a"]\n', "b", dev=False)


def test_requirements_keep_their_line_endings():
    assert add_to_requirements("a\r\nb", "c") == "a\r\nb\r\nc\r\n"
    assert add_to_requirements("A_b==1\n", "a-b") == "A_b==1\n"


async def test_a_version_that_the_manifest_contradicts_is_said(project: Workspace):
    await install_dependency.function(project, "sums==1.5")
    text = (project.root / "pyproject.toml").read_text()
    (project.root / "pyproject.toml").write_text(text.replace("sums==1.5", "sums==1.4"))
    result = await install_dependency.function(project, "sums==1.5")
    assert result.is_error
    assert "the manifest says 'sums==1.4'" in result.content


@pytest.mark.parametrize("name", ["left-pad@file:../evil", "x@link:/tmp", "a@../b", "../b", "./b"])
async def test_a_folder_is_no_package(project: Workspace, name: str):
    assert "is not a package" in (await install_dependency.function(project, name)).content


@pytest.mark.parametrize("manifest", ["pyproject.toml", "uv.lock"])
@pytest.mark.parametrize(
    "name",
    [
        "git+https://example.org/x.git",
        "https://example.org/x.whl",
        "git+ssh://git@x/y",
        "x@https://example.org/x.tgz",
    ],
)
async def test_an_address_is_refused_whatever_the_manager(project: Workspace, manifest: str, name: str):
    (project.root / manifest).touch()
    assert "not a package of the index" in (await install_dependency.function(project, name)).content


@pytest.mark.parametrize("name", ["github:a/b", "a/b", "x@github:a/b", "a/b@main"])
async def test_a_repository_is_no_package_of_npm(ws: Workspace, name: str):
    (ws.root / "package.json").write_text("{}")
    assert "not a package of the index" in (await install_dependency.function(ws, name)).content


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
async def test_npm_that_looked_nothing_up_found_nothing_out(ws: Workspace, tmp_path: Path):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/package.json").write_text('{"name": "evil", "version": "1.0.0"}')
    shop = {"name": "shop", "version": "1.0.0", "dependencies": {"evil": "file:../evil"}}
    packages = {
        "": shop,
        "../evil": {"version": "1.0.0"},
        "node_modules/evil": {"resolved": "../evil", "link": True},
    }
    (ws.root / "package.json").write_text(json.dumps(shop))
    lock = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (ws.root / "package-lock.json").write_text(json.dumps(lock))
    result = await audit_security.function(ws)
    assert result.is_error
    assert "npm: NOT AUDITED" in result.content
    assert "evil comes from a folder" in result.content
