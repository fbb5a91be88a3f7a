import pytest

from codeflow.agents.specialists import load_specialists
from codeflow.app.cascading import Ladders
from codeflow.app.lineup import Lineup
from codeflow.core.settings import load_settings
from codeflow.core.values import Complexity
from codeflow.models.catalogue import Catalogue
from codeflow.models.rosters import Roster, packaged_rosters


@pytest.mark.parametrize("roster", packaged_rosters())
def test_without_lessons_every_roster_begins_with_the_cheapest_capable_coder(tmp_path, roster):
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    ladders = Ladders(
        settings=load_settings(tmp_path, env=env).cascade,
        lineup=Lineup(catalogue=Catalogue.load(), roster=Roster.load(roster), overrides={}),
        specialists=load_specialists(tmp_path, env),
        experience=lambda: ((), ()),
    )
    begins = {complexity: ladders.of(None, complexity).start().agent for complexity in Complexity}
    assert begins == {
        Complexity.SIMPLE: "fast_coder",
        Complexity.MEDIUM: "senior_coder",
        Complexity.COMPLEX: "senior_coder",
        Complexity.CRITICAL: "senior_coder",
    }
