"""What a tool's function says about its arguments, as a model that checks them."""

import inspect
from functools import cache
from typing import Any, cast

from docstring_parser import parse as parse_docstring
from pydantic import BaseModel, ConfigDict, Field, create_model

from codeflow.tools.tool import Tool


@cache
def arguments_model(tool: Tool) -> type[BaseModel]:
    """A pydantic model of a tool's arguments, described by its docstring; the workspace is not one of them."""
    described = {p.arg_name: p.description or "" for p in parse_docstring(tool.function.__doc__ or "").params}
    hints = inspect.get_annotations(tool.function, eval_str=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(tool.function).parameters.items())[1:]:
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], Field(default, description=" ".join(described.get(name, "").split())))
    return cast("type[BaseModel]", create_model(tool.name, __config__=ConfigDict(extra="forbid"), **fields))
