"""Plans as files that a person edits between planning and doing."""

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from codeflow.core.values import Plan
from codeflow.core.yaml_files import read_yaml
from codeflow.orchestration.planner import PlanForm, design_problems

_HINT = "Correct the plan, or make a new one with `codeflow plan TASK`."


class PlanFile(BaseModel):
    """A task with the plan for it."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(min_length=1)
    plan: PlanForm


def plan_text(task: str, plan: Plan, name: str) -> str:
    """YAML that `read_plan` reads back; `name` is the file's, for the comment that begins it."""
    data: dict[str, Any] = {"task": task, "plan": _plain(asdict(plan))}
    body = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"# Edit as you like, then: codeflow run --plan {name}\n{body}"


def read_plan(path: Path, *, workspace: Path, specialists: Collection[str]) -> tuple[str, Plan]:
    """A file's task and plan, which can be carried out in the workspace as far as can be told before.

    Raises:
        UsageError: naming the line.
    """
    file = read_yaml(path, _HINT)
    content = file.model(PlanFile, _HINT)
    plan = content.plan.plan()
    for problem in design_problems(plan, workspace=workspace, specialists=specialists):
        raise file.problem(("plan", *problem.place), problem.text, _HINT)
    return content.task, plan


class _Dumper(yaml.SafeDumper):
    """Text of several lines as people write it."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
