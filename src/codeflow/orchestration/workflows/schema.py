"""The JSON Schema of workflow files, which accepts what is read as one: all but what concerns several of its tables."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from codeflow.orchestration.workflows.form import NOT_FOR_INPUTS, NOT_FOR_NODES, WorkflowForm
from codeflow.orchestration.workflows.patterns.explore import SYNTHESIS, ExploreForm
from codeflow.orchestration.workflows.patterns.fanout import MAX_MEMBERS, FanoutForm, MergeForm
from codeflow.orchestration.workflows.patterns.hierarchy import SUPERVISOR, HierarchyForm
from codeflow.orchestration.workflows.patterns.mesh import MERGER, MeshForm
from codeflow.orchestration.workflows.patterns.notes import peers_for

Rule = Mapping[str, Any]


def workflow_schema() -> JsonSchemaValue:
    """Draft 2020-12. Names of agents, nodes and tools, conditions and texts are for `codeflow workflows validate`."""
    made = WorkflowForm.model_json_schema(schema_generator=_Closed)
    for name, rules in _RULES.items():
        (made if name == WorkflowForm.__name__ else made["$defs"][name])["allOf"] = rules
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}


class _Closed(GenerateJsonSchema):
    """Tables whose keys are names have no others."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made


def _given(key: str, kind: str) -> Rule:
    return {"required": [key], "properties": {key: {"type": kind}}}


def _never_called(table: str, *names: str) -> Rule:
    return {"properties": {table: {"propertyNames": {"not": {"enum": list(names)}}}}}


def _peers(faulty: int) -> Rule:
    wanted = peers_for(faulty)
    return {
        "properties": {
            "faulty": {"const": faulty},
            "peers": {"minProperties": wanted, "maxProperties": wanted},
        },
        "required": [] if faulty == 1 else ["faulty"],
    }


_RULES: Mapping[str, list[Rule]] = {
    WorkflowForm.__name__: [
        _never_called("nodes", *sorted(NOT_FOR_NODES)),
        _never_called("inputs", *sorted(NOT_FOR_INPUTS)),
    ],
    MergeForm.__name__: [{"anyOf": [{"properties": {"by": {"maxItems": 0}}}, _given("items", "string")]}],
    FanoutForm.__name__: [
        {"not": {"allOf": [_given("merge", "object"), _given("vote", "object")]}},
        {
            "anyOf": [
                _given("task", "string"),
                {
                    "properties": {
                        "members": {"additionalProperties": {"type": "object", **_given("task", "string")}}
                    }
                },
            ]
        },
    ],
    HierarchyForm.__name__: [_never_called("leads", SUPERVISOR)],
    MeshForm.__name__: [
        {"anyOf": [_peers(faulty) for faulty in range(1, MAX_MEMBERS) if peers_for(faulty) <= MAX_MEMBERS]},
        _never_called("peers", MERGER),
        {
            "if": {"required": ["conflicts"], "properties": {"conflicts": {"const": "merge"}}},
            "then": _given("merger", "string"),
            "else": {"properties": {"merger": {"type": "null"}}},
        },
    ],
    ExploreForm.__name__: [_never_called("agents", SYNTHESIS)],
}
"""What the models check beyond the type of each value."""
