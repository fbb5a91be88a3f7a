"""The package managers themselves, on projects whose packages lie in a folder: nothing is fetched."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.tools.test_tools_packages import PYPROJECT, make_wheel, project  # noqa: F401 - a fixture

from codeflow.tools.packages import audit_security, check_updates, install_dependency
from codeflow.tools.packages_audit import _read_bun, _read_pnpm
from codeflow.tools.packages_managers import find_managers, is_unreached
from codeflow.tools.packages_updates import _npm, _poetry
from codeflow.tools.testing.run import run_tests
from codeflow.tools.workspace import Workspace

UV_PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n\n'
SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def ws(make_workspace: Callable[..., Workspace]) -> Workspace:
    return make_workspace(timeout_s=100)


@pytest.fixture
def alone(ws: Workspace, tmp_path: Path) -> Callable[..., None]:
    """Leaves PATH with the system's own programs and, of codeflow's environment, those that are named."""

    def keep(*names: str) -> None:
        folder = tmp_path / "programs"
        folder.mkdir()
        for name in names:
            (folder / name).symlink_to(SCRIPTS / name)
        path = f"{ws.root}/.venv/bin:{folder}:/usr/bin:/bin"
        ws.env |= {"PATH": path, "VIRTUAL_ENV": str(ws.root / ".venv")}

    return keep


@pytest.mark.parametrize(
    ("files", "manager"),
    [
        ({"uv.lock": "", "pyproject.toml": "[tool.poetry]"}, "uv"),
        ({"pyproject.toml": "[project]\nname = 'x'\n[tool.uv.sources]\n"}, "uv"),
        ({"pyproject.toml": "[tool.poetry.dependencies]"}, "poetry"),
        ({"pyproject.toml": '[build-system]\nbuild-backend = "uv_build"\n'}, "uv"),
        ({"pyproject.toml": '[build-system]\nbuild-backend = "poetry.core.masonry.api"\n'}, "poetry"),
        ({"pyproject.toml": "[project]"}, "pip"),
        ({"package.json": '{"packageManager": "pnpm@9.1.0"}'}, "pnpm"),
        ({"package.json": "{}", "bun.lockb": ""}, "bun"),
        ({"package.json": "{}"}, "npm"),
    ],
)
def test_a_project_says_by_its_files_which_manager_it_uses(
    ws: Workspace, files: dict[str, str], manager: str
):
    for name, text in files.items():
        (ws.root / name).write_text(text)
    assert [found.name for found in find_managers(ws.root)] == [manager]


async def test_a_manager_that_is_missing_is_named_with_a_way_to_get_it(ws: Workspace, alone):
    alone()
    (ws.root / "poetry.lock").touch()
    result = await install_dependency.function(ws, "sums")
    assert result.content == "poetry is not installed; the project uses it; get it: pip install poetry."


def make_uv_environment(ws: Workspace) -> None:
    base = Path(sys.base_prefix) / "bin/python3"
    command = [str(SCRIPTS / "uv"), "venv", "--quiet", "--python", str(base), str(ws.root / ".venv")]
    subprocess.run(command, check=True, env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"})


async def test_an_environment_without_pip_is_filled_by_uv(ws: Workspace, tmp_path: Path, alone):
    alone("uv")
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "1.5")
    make_uv_environment(ws)
    (ws.root / "pyproject.toml").write_text(PYPROJECT)
    ws.env |= {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels")}
    result = await install_dependency.function(ws, "sums")
    assert "uv pip install sums" in result.content
    assert result.changed == ("pyproject.toml",)
    assert tomllib.loads((ws.root / "pyproject.toml").read_text())["project"]["dependencies"] == [
        "other>=2",
        "sums>=1.5",
    ]


async def test_without_uv_an_environment_without_pip_needs_one(ws: Workspace, alone):
    alone()
    make_uv_environment(ws)
    (ws.root / "pyproject.toml").write_text(PYPROJECT)
    result = await install_dependency.function(ws, "sums")
    assert result.content.endswith("add pip with run_command: .venv/bin/python -m ensurepip")


async def test_uv_itself(ws: Workspace, tmp_path: Path, alone):
    alone("uv")
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "1.5")
    (ws.root / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = []\n\n[tool.uv]\n'
    )
    python = Path(sys.base_prefix) / "bin/python3"
    ws.env |= {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(tmp_path / "wheels"), "UV_PYTHON": str(python)}
    result = await install_dependency.function(ws, "sums", dev=True)
    assert result.changed == ("pyproject.toml", "uv.lock")
    assert tomllib.loads((ws.root / "pyproject.toml").read_text())["dependency-groups"] == {
        "dev": ["sums>=1.5"]
    }
    assert len(list(ws.root.glob(".venv/lib/python*/site-packages/sums.py"))) == 1
    missing = await install_dependency.function(ws, "no-such-package")
    assert missing.content.startswith("no-such-package was not installed: its index cannot be reached.")


async def test_run_tests_names_it_and_install_dependency_installs_what_is_declared(
    ws: Workspace, tmp_path: Path, alone
):
    alone("uv")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "8.1", "pytest")
    python = Path(sys.base_prefix) / "bin/python3"
    ws.env |= {"UV_OFFLINE": "1", "UV_FIND_LINKS": str(wheels), "UV_PYTHON": str(python)}
    manifest = f'{UV_PROJECT}[dependency-groups]\ndev = ["pytest>=8"] # runs the tests\n'
    (ws.root / "pyproject.toml").write_text(manifest)
    (ws.root / "uv.lock").write_text(
        'version = 1\nrequires-python = ">=3.11"\n[[package]]\nname = "pytest"\n'
    )
    (ws.root / "test_a.py").write_text("def test_a(): pass\n")
    for _ in range(2):
        refusal = await run_tests.function(ws)
        assert refusal.is_error
        assert refusal.content == (
            "The tests cannot run: pytest is declared in pyproject.toml but not installed: the project has no environment "
            "of its own. install_dependency with name=pytest and dev=true installs it, once the user has approved; or ask "
            "the user to do this: run uv sync."
        )
        assert not (ws.root / ".venv").exists()
    (ws.root / "uv.lock").unlink()
    (ws.root / "pyproject.toml").write_text(f"{manifest}\n[tool.uv]\n")
    installed = await install_dependency.function(ws, "pytest", dev=True)
    assert not installed.is_error, installed.content
    assert " sync --inexact" in installed.content
    assert (ws.root / "pyproject.toml").read_text() == f"{manifest}\n[tool.uv]\n"
    assert len(list(ws.root.glob(".venv/lib/python*/site-packages/pytest-8.1.dist-info"))) == 1


OTHER_STORE = "#!/bin/sh\necho ERR_PNPM_UNEXPECTED_STORE Unexpected store location\nexit 1\n"
OWN_STORE = "#!/bin/sh\nmkdir -p node_modules/.pnpm-store\n"


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (OTHER_STORE, "Ask the user to run: pnpm add --save-dev is-odd@3.0.0"),
        (
            OWN_STORE,
            "Tell the user that outside of codeflow pnpm wants `pnpm install` before anything is added.",
        ),
    ],
)
async def test_what_the_store_of_pnpm_means_is_told(
    ws: Workspace, alone, tmp_path: Path, script: str, told: str
):
    alone()
    (tmp_path / "programs/pnpm").write_text(script)
    (tmp_path / "programs/pnpm").chmod(0o755)
    (ws.root / "package.json").write_text("{}")
    (ws.root / "pnpm-lock.yaml").touch()
    result = await install_dependency.function(ws, "is-odd@3.0.0", dev=True)
    assert result.content.endswith(told)


async def test_a_wheel_of_the_project_is_installed_but_not_listed_wrongly(project: Workspace):  # noqa: F811
    make_wheel(project.root, "1.5")
    result = await install_dependency.function(project, "sums-1.5-py3-none-any.whl")
    assert "It is installed, but 'sums-1.5-py3-none-any.whl' cannot stand" in result.content
    assert (project.root / "pyproject.toml").read_text() == PYPROJECT


def make_tarball(file: Path) -> None:
    data = json.dumps({"name": "sums", "version": "1.5.0"}).encode()
    entry = tarfile.TarInfo("package/package.json")
    entry.size = len(data)
    with tarfile.open(file, "w:gz") as tar:
        tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("section", ["dependencies", "optionalDependencies"])
@pytest.mark.parametrize("name", ["pad@1.3.0", "@scope/pad", "@scope/pad@^1"])
async def test_a_package_of_production_is_not_moved(ws: Workspace, section: str, name: str):
    bare = "@scope/pad" if name.startswith("@") else "pad"
    package = json.dumps({"name": "shop", section: {bare: "1.0.0"}})
    (ws.root / "package.json").write_text(package)
    result = await install_dependency.function(ws, name, dev=True)
    assert result.is_error
    assert result.content.startswith(f"{bare} is in {section} of package.json, and dev would move it")
    assert (ws.root / "package.json").read_text() == package


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
async def test_npm_installs_from_a_file_and_an_audit_without_a_server_is_no_audit(ws: Workspace):
    (ws.root / "package.json").write_text('{"name": "shop", "version": "1.0.0"}')
    make_tarball(ws.root / "sums.tgz")
    result = await install_dependency.function(ws, "sums.tgz")
    assert result.changed == ("package.json", "package-lock.json")
    assert (ws.root / "node_modules/sums/package.json").is_file()
    ws.env |= {"npm_config_registry": "http://127.0.0.1:9"}
    audited = await audit_security.function(ws)
    assert audited.is_error
    assert "npm: NOT AUDITED, nothing is known about vulnerabilities" in audited.content
    assert "ECONNREFUSED" in audited.content
    assert len(audited.content.splitlines()) == 1


@pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")
async def test_cargo_itself(ws: Workspace):
    crate = ws.root / "vendor/sums"
    for folder in (crate / "src", ws.root / "src", ws.root / ".cargo"):
        folder.mkdir(parents=True)
    (crate / "Cargo.toml").write_text('[package]\nname = "sums"\nversion = "1.5.0"\nedition = "2021"\n')
    (crate / ".cargo-checksum.json").write_text('{"files": {}, "package": null}')
    (ws.root / ".cargo/config.toml").write_text(
        '[source.crates-io]\nreplace-with = "own"\n[source.own]\ndirectory = "vendor"\n'
    )
    (ws.root / "Cargo.toml").write_text('[package]\nname = "shop"\nversion = "1.0.0"\nedition = "2021"\n')
    for source in (crate / "src/lib.rs", ws.root / "src/lib.rs"):
        source.touch()
    ws.env |= {name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
    ws.env["HOME"] = os.environ["HOME"]  # where rustup keeps its toolchains
    result = await install_dependency.function(ws, "sums")
    assert result.changed == ("Cargo.toml", "Cargo.lock")
    assert (await check_updates.function(ws)).content == "cargo: 0 dependencies have a newer version"


async def test_go_itself(ws: Workspace, tmp_path: Path, alone):
    alone("go")
    module = tmp_path / "proxy/example.org/sums/@v"
    module.mkdir(parents=True)
    (module / "list").write_text("v1.0.0\nv1.2.0\n")
    for version in ("v1.0.0", "v1.2.0"):
        (module / f"{version}.info").write_text(json.dumps({"Version": version}))
        (module / f"{version}.mod").write_text("module example.org/sums\n")
        with zipfile.ZipFile(module / f"{version}.zip", "w") as archive:
            archive.writestr(f"example.org/sums@{version}/go.mod", "module example.org/sums\n")
            archive.writestr(f"example.org/sums@{version}/sums.go", "package sums\n")
    (ws.root / "go.mod").write_text("module shop\n\ngo 1.21\n")
    ws.env |= {"GOPROXY": f"file://{tmp_path}/proxy", "GOSUMDB": "off", "GOTOOLCHAIN": "local"}
    ws.env |= {"GOPATH": str(tmp_path / "go"), "GOFLAGS": "-modcacherw"}
    result = await install_dependency.function(ws, "example.org/sums@v1.0.0")
    assert result.changed == ("go.mod", "go.sum")
    assert "  example.org/sums v1.0.0 -> v1.2.0" in (await check_updates.function(ws)).content
    ws.env |= {"GOPROXY": "http://127.0.0.1:9"}
    unreached = await install_dependency.function(ws, "example.org/other")
    assert unreached.content.startswith("example.org/other was not installed: its index cannot be reached.")


def test_a_conflict_of_versions_is_not_taken_for_a_dead_network():
    assert not is_unreached("npm error code ERESOLVE\nnpm error ERESOLVE could not resolve")
    assert not is_unreached("ERROR: No matching distribution found for network-connection")
    assert is_unreached("error: [6] Could not resolve hostname (Could not resolve host: index)")


def test_answers_of_pnpm_bun_and_poetry_are_read():
    flaw = {"module_name": "pad", "vulnerable_versions": "<=1", "severity": "high", "title": "Bad."}
    pnpm = _read_pnpm({"advisories": {"7": flaw}, "metadata": {"totalDependencies": 3}})
    assert pnpm is not None
    assert (pnpm.vulnerabilities, pnpm.audited) == (["  pad <=1: high, fixed in no version. Bad."], 3)
    assert _read_pnpm({"error": {"code": "X"}}) is None
    bun = _read_bun({"pad": [{"vulnerable_versions": "<=1", "severity": "high", "title": "Bad."}]})
    assert bun is not None
    assert bun.vulnerabilities == ["  pad <=1: high. Bad."]
    assert _read_bun({"error": "no"}) is None
    shown = "requests (!) 2.31.0 2.32.5 Python HTTP for Humans.\nrich 13.0 14.0 Rich 3 text\n"
    assert list(_poetry(shown)) == [("requests", "2.31.0", "2.32.5"), ("rich", "13.0", "14.0")]
    outdated = '{"a": [{"wanted": "1", "latest": "2"}], "b": {"wanted": "1", "latest": "1"}}'
    assert list(_npm(outdated)) == [("a", "1", "2")]
