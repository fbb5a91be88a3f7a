"""How a run's tools reach the architect's model, and which specialists are offered to."""

from collections.abc import Mapping
from dataclasses import replace

from codeflow.agents.bench import Bench
from codeflow.agents.specialists import Specialist
from codeflow.app.lineup import Lineup, Models
from codeflow.core.settings import ConsultSettings
from codeflow.core.values import Complexity
from codeflow.orchestration.consulting import Consultations, asked_before
from codeflow.sessions.past import LastRun

_TOOL = "consult"


def start_consulting(settings: ConsultSettings, models: Models, bench: Bench, run: LastRun) -> Consultations:
    """Give a run's tools somebody to ask."""
    consultations = Consultations(
        adviser=models.adviser, settings=settings, one_writer=bench.one_writer, asked=asked_before(run)
    )
    bench.workspace.consultant = consultations
    return consultations


def who_may_consult(
    specialists: Mapping[str, Specialist], settings: ConsultSettings, lineup: Lineup, complexity: Complexity
) -> dict[str, Specialist]:
    """The specialists, without the tool where nothing may be asked or the model would ask itself."""
    adviser = lineup.candidates("architect", complexity)[0].model_id

    def own_model(one: Specialist) -> str:
        return lineup.candidates(one.role, complexity, one.model)[0].model_id

    return {
        name: one if settings.most and own_model(one) != adviser else _without(one)
        for name, one in specialists.items()
    }


def _without(one: Specialist) -> Specialist:
    return replace(one, tools=tuple(tool for tool in one.tools if tool != _TOOL))
