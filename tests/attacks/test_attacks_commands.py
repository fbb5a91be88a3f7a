"""Every attack by a command, in the real sandbox and without it."""

import asyncio
from pathlib import Path

import pytest
from tests.attacks.commands import PROXIED, SHELL_ATTACKS, Attack
from tests.attacks.world import Picture, World, daemons, listening, make

from codeflow.core.settings import load_settings
from codeflow.tools.process import execute
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.sandbox.port import Sandbox, Unconfined
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.slow


_NOBODY_LISTENS = 9009


def sandbox_of(world: World, *hosts: str, backend: str = "bubblewrap") -> Sandbox:
    settings = load_settings(world.workspace, env={}, flags={"sandbox": {"hosts": hosts, "backend": backend}})
    choice = choose(settings.sandbox, world.workspace, world.env)
    if choice.missing:
        pytest.skip(f"no sandbox on this machine: {choice.missing}")
    return choice.sandbox


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make(tmp_path)


def run(world: World, sandbox: Sandbox, line: str, timeout_s: float = 20) -> str:
    """What a command of an agent prints."""
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox)

    async def command() -> str:
        try:
            outcome = await execute(
                line,
                cwd=ws.root,
                env=ws.env,
                timeout_s=timeout_s,
                output_limit_chars=50_000,
                confine=ws.confining(),
            )
        finally:
            await ws.close()
        return outcome.output

    return asyncio.run(command())


def filled(world: World, attack: Attack) -> str:
    line = attack.line
    for name, value in (
        ("home", world.home), ("outside", world.outside), ("work", world.workspace),
        ("tcp", world.tcp_port), ("udp", world.udp_port), ("allowed", _NOBODY_LISTENS),
    ):  # fmt: skip
        line = line.replace(f"{{{name}}}", str(value))
    return line


def named(attack: Attack) -> str:
    return f"{attack.kind}: {attack.name}"


@pytest.mark.parametrize("attack", SHELL_ATTACKS, ids=named)
def test_an_attack_is_stopped(world, attack):
    sandbox = sandbox_of(world)
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, sandbox, filled(world, attack))
        assert world.breaches(before, output) == [], output


@pytest.mark.parametrize("attack", SHELL_ATTACKS, ids=named)
def test_an_attack_is_stopped_without_namespaces_or_listed_as_not(world, attack):
    sandbox = sandbox_of(world, backend="landlock")
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, sandbox, filled(world, attack))
        assert bool(world.breaches(before, output)) == bool(attack.past_landlock), output


@pytest.mark.parametrize("attack", SHELL_ATTACKS, ids=named)
def test_an_attack_is_stopped_in_a_container(world, attack):
    sandbox = sandbox_of(world, backend="docker")
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, sandbox, filled(world, attack))
        assert world.breaches(before, output) == [], output


@pytest.mark.parametrize("attack", PROXIED, ids=named)
def test_named_hosts_open_no_way_to_others(world, attack):
    sandbox = sandbox_of(world, "allowed.example", f"localhost:{_NOBODY_LISTENS}")
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, sandbox, filled(world, attack))
        assert world.breaches(before, output) == [], output


@pytest.mark.parametrize("attack", [attack for attack in PROXIED if attack.works], ids=named)
def test_the_same_attack_succeeds_where_the_host_is_named(world, attack):
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, sandbox_of(world, f"localhost:{world.tcp_port}"), filled(world, attack))
        assert world.breaches(before, output) != [], output


@pytest.mark.parametrize("attack", [attack for attack in SHELL_ATTACKS if attack.works], ids=named)
def test_the_same_attack_succeeds_without_the_sandbox(world, attack):
    with listening(world), daemons(world):
        before = Picture.of(world)
        output = run(world, Unconfined(), filled(world, attack))
        assert world.breaches(before, output) != [], output


LATER = {
    "submodules elsewhere": "ln -s ../.. .git/modules",
    "repository's folders in the workspace": "mkdir -p objects refs",
    "a folder of all": "mkdir -p .venv/bin; ln -s /root/x .venv/bin/python",
    "folder of protected ones": "ln -s {outside}/shared .circleci; rm -rf .config; ln -s {outside}/shared .config",
    "shared git folder": "cp -r .git evil; git config --file evil/config core.fsmonitor 'touch x'; echo ../evil > .git/commondir",
    "package path": "mkdir -p .venv/lib/python3.11/site-packages && touch .venv/bin; "
    "echo {home}/other-project > .venv/lib/python3.11/site-packages/x.pth",
    "interpreter": "mkdir -p .venv/bin {work}/p && ln -s {home}/other-project/x .venv/bin/python",
    "link among installed packages": "mkdir -p node_modules && ln -s {home}/other-project/.env node_modules/x",
    "program folder": "mkdir -p .venv && ln -s {home}/other-project .venv/bin",
    "repository elsewhere": "rm -rf .git; echo 'gitdir: {home}/other-project/.git/worktrees/x' > .git",
    "the commands' own home": "ln -s {home}/other-project ~/bin; ln -s / ~/.gitconfig; ln -s {home} ~/go; ls -la ~",
}


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock", "docker"])
@pytest.mark.parametrize("planted", LATER.values(), ids=LATER)
def test_what_a_command_leaves_in_the_workspace_shows_later_ones_nothing_more(world, planted, backend):
    sandbox = sandbox_of(world, backend=backend)
    attack = Attack("later", "", "", planted)
    before = Picture.of(world)
    run(world, sandbox, filled(world, attack))
    plant = "echo evil > .git/hooks/pre-commit; echo evil >> .vscode/tasks.json; echo evil > ../other-project/evil; "
    look = (
        plant
        + "cat {home}/other-project/.env ~/bin/.env ~/go/.netrc node_modules/x .venv/bin/.env; echo x > {outside}/shared/data.txt"
    )
    output = run(world, sandbox, filled(world, Attack("later", "", "", look)))
    assert world.breaches(before, output) == [], output
