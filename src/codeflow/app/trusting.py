"""What trusting a folder would switch on, so that a person sees it before they do."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from codeflow.agents.specialists import parse
from codeflow.app.permitting import FILE
from codeflow.core.errors import CodeflowError
from codeflow.core.permissions import Layer
from codeflow.core.settings import held_back
from codeflow.models.catalogue import Catalogue
from codeflow.policies.rules import Action, read_rules
from codeflow.tools.lsp.servers import own_servers
from codeflow.tools.registry import TOOLS


def switched_on(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """One line for each thing of the folder that counts, or runs, only in a trusted one."""
    for key, value in held_back(folder):
        yield f"setting {key} = {value!r} of .codeflow/settings.toml"
    for rule in read_rules(folder / ".codeflow" / FILE, Layer.PROJECT, TOOLS):
        if rule.action is Action.ALLOW:
            yield f"allow rule {rule.text} of .codeflow/{FILE}"
    yield from _agents(folder)
    for server in own_servers(folder, env):
        yield f"language server {server}"


def _agents(folder: Path) -> Iterator[str]:
    """Agent files that send prompts to a model that codeflow does not know."""
    catalogue = Catalogue.load()
    for place in (".codeflow/agents", ".claude/agents"):
        for path in sorted((folder / place).glob("*.md")):
            try:
                agent = parse(path, foreign=place.startswith(".claude"))
            except CodeflowError as problem:
                yield f"agent file that cannot be used: {problem}"
                continue
            if agent.model is not None and catalogue.find(agent.model) is None:
                yield f"agent {agent.name} of {place} with model {agent.model}"
