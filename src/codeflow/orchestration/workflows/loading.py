"""Workflow files: packaged, the user's and the project's, each layer replacing its namesakes."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError
from codeflow.core.names import unknown
from codeflow.core.places import config_home, resource
from codeflow.core.workflows import GivenWorkflow
from codeflow.core.yaml_files import YamlFile, read_yaml
from codeflow.orchestration.workflows.checking import Known, nested_circle, problems
from codeflow.orchestration.workflows.form import WorkflowForm
from codeflow.tools.tool import Tool

_HINT = "Correct the file; `codeflow workflows schema` prints a JSON Schema for editors."


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A workflow that can run, with those it uses as nodes, by name."""

    name: str
    path: Path
    forms: Mapping[str, WorkflowForm]

    @property
    def form(self) -> WorkflowForm:
        return self.forms[self.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The workflow files that can be named, and the names that they may use."""

    paths: Mapping[str, Path]
    agents: Collection[str]
    tools: Mapping[str, Tool]

    def load(self, name: str) -> Loaded:
        """A workflow by name.

        Raises:
            UsageError: naming the nearest ones, or the line of the file that is wrong.
        """
        path = self.paths.get(name)
        if path is None:
            raise UsageError(
                unknown("workflow", name, self.paths), hint="`codeflow workflows list` shows them all."
            )
        return self.check(path)

    def check(self, path: Path) -> Loaded:
        """The workflow of a file, wherever that is.

        Raises:
            UsageError: naming the line of the file that is wrong, its own or that of a workflow it uses.
        """
        files: dict[str, YamlFile] = {}
        forms: dict[str, WorkflowForm] = {}
        own = self._read(path, files, forms)
        waiting = forms[own].uses
        while waiting:
            part = waiting.pop()
            if part in self.paths and part not in forms:
                self._read(self.paths[part], files, forms)
                waiting += forms[part].uses
        if around := nested_circle(own, forms):
            text = f"workflows use each other without an end: {' -> '.join(around)}"
            raise files[own].problem(("nodes",), text, _HINT)
        known = Known(agents=self.agents, tools=self.tools, workflows=forms, named=self.paths)
        for one, file in files.items():
            for problem in problems(forms[one], known):
                raise file.problem(problem.place, problem.text, _HINT)
        return Loaded(name=own, path=path, forms=forms)

    def _read(self, path: Path, files: dict[str, YamlFile], forms: dict[str, WorkflowForm]) -> str:
        file = read_yaml(path, _HINT)
        form = file.model(WorkflowForm, _HINT)
        if path.name != f"{form.name}.yaml":
            text = f"{form.name!r}, but the file is called {path.name} and not {form.name}.yaml"
            raise file.problem(("name",), text, _HINT)
        files[form.name], forms[form.name] = file, form
        return form.name


def find_workflows(
    workspace: Path, env: Mapping[str, str] = os.environ, *, trusted: bool = False
) -> Mapping[str, Path]:
    """Where each workflow is: packaged, then the user's, then the project's.

    The user's replace their namesakes; the project's do where the user has `trusted` it: a stranger's file is not what
    somebody means who asks for the `review` they know.
    """
    own = {
        path.stem: path
        for folder in (resource("config"), config_home(env))
        for path in sorted((folder / "workflows").glob("*.yaml"))
    }
    projects = {path.stem: path for path in sorted((workspace / ".codeflow" / "workflows").glob("*.yaml"))}
    return {**own, **projects} if trusted else {**projects, **own}


def given(loaded: Loaded, inputs: Mapping[str, str]) -> GivenWorkflow:
    """The workflow and its inputs as a task carries them, whole, so that a resumed run walks the same one.

    Raises:
        UsageError: for an input that it does not have, or one that is missing.
    """
    form = loaded.form
    for name in inputs:
        if name not in form.inputs:
            text = (
                unknown(f"input of {loaded.name}", name, form.inputs) if form.inputs else "it takes no inputs"
            )
            raise UsageError(f"--input {name}: {text}", hint=f"`codeflow workflows show {loaded.name}`")
    for name, wanted in form.inputs.items():
        if name not in inputs and wanted.default is None:
            raise UsageError(
                f"{loaded.name} needs the input {name!r}: {wanted.description}", hint=f"Add --input {name}=…"
            )
    return GivenWorkflow(
        name=loaded.name,
        source=str(loaded.path),
        files={name: as_data(one) for name, one in loaded.forms.items()},
        inputs=dict(inputs),
    )


def as_data(form: WorkflowForm) -> dict[str, Any]:
    """The workflow as JSON that `revived` reads back."""
    return form.model_dump(mode="json", by_alias=True, exclude_unset=True)


def revived(task: GivenWorkflow) -> Mapping[str, WorkflowForm]:
    """The workflows that a task carries, by name."""
    return {name: WorkflowForm.model_validate(data) for name, data in task.files.items()}
