"""Which models play which role: the first choice of a role, then those that take over from it."""

import difflib
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from codeflow.core.errors import UsageError
from codeflow.core.places import resource
from codeflow.core.values import Complexity
from codeflow.models.catalogue import Catalogue, ModelSpec

ROLES = (
    "router",
    "architect",
    "senior_coder",
    "fast_coder",
    "test_engineer",
    "reviewer",
    "debugger",
    "documentation",
)

_PLACED = re.compile(r"(?P<id>(?!ollama:|openai:).+)@(?P<region>[a-z]{2}(-[a-z]+)+-\d)")


class Roster(BaseModel):
    """Model ids by role or `role.COMPLEXITY`, and what the catalogue should know differently about a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    roles: dict[str, tuple[str, ...]]
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("roles")
    @classmethod
    def _complete(cls, roles: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        allowed = {*ROLES, *(f"{role}.{complexity}" for role in ROLES for complexity in Complexity)}
        problems = [f"{role} names no model" for role in sorted(roles) if not roles[role]]
        problems += [f"role {role} is missing" for role in ROLES if role not in roles]
        problems += [
            f"{role} is not a role{_meant(role, allowed)}" for role in sorted(roles.keys() - allowed)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return roles

    @classmethod
    def load(cls, name_or_path: str) -> "Roster":
        """A packaged roster by name, or one of the user's own by the path of its .toml file.

        Raises:
            UsageError: for an unknown name, or naming the file and what is wrong in it.
        """
        own = name_or_path.endswith(".toml")
        path = Path(name_or_path) if own else resource("config") / "rosters" / f"{name_or_path}.toml"
        if not own and name_or_path not in packaged_rosters():
            meant = _meant(name_or_path, packaged_rosters())
            raise UsageError(
                f"unknown roster {name_or_path!r}{meant}",
                hint=f"Use one of {', '.join(packaged_rosters())}, or the path of a .toml file.",
            )
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
            return cls.model_validate({"name": path.stem, **table})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path}: cannot be read: {error}", hint="Correct the file.") from error
        except ValidationError as error:
            raise _unusable(path, error) from error

    def candidates(
        self, role: str, complexity: Complexity | None = None, override: str | None = None
    ) -> tuple[str, ...]:
        """The role's model ids, first choice first; `override` takes the place of the first choice.

        Raises:
            UsageError: for an unknown role, offering the nearest names.
        """
        if role not in ROLES:
            raise UsageError(
                f"unknown role {role!r}{_meant(role, ROLES)}", hint=f"Roles: {', '.join(ROLES)}."
            )
        choices = self.roles.get(f"{role}.{complexity}") or self.roles[role]
        return choices if override is None else tuple(dict.fromkeys((override, *choices[1:])))

    def spec(self, catalogue: Catalogue, model_id: str) -> ModelSpec:
        """What is known about a model, corrected by this roster; `ID@REGION` is Bedrock's model called in a region.

        Raises:
            UsageError: for a model that neither the roster nor the catalogue knows, if its name looks mistyped.
        """
        if placed := _PLACED.fullmatch(model_id):
            return self.spec(catalogue, placed["id"]).model_copy(update={"region": placed["region"]})
        known = self.models.get(model_id)
        if known is None:
            return catalogue.resolve(model_id)
        spec = catalogue.find(model_id) or ModelSpec.unknown(model_id)
        try:
            return ModelSpec.model_validate({**spec.model_dump(exclude={"max_tokens"}), **known})
        except ValidationError as error:
            raise _unusable(Path(f"{self.name}.toml"), error) from error


def packaged_rosters() -> list[str]:
    return sorted(path.stem for path in (resource("config") / "rosters").glob("*.toml"))


def _meant(name: str, possible: Any) -> str:
    close = difflib.get_close_matches(name, possible, n=3, cutoff=0.5)
    return f" (did you mean {', '.join(close)}?)" if close else ""


def _unusable(path: Path, error: ValidationError) -> UsageError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return UsageError(
        f"{path}: {place}: {first['msg']}", hint="config/rosters/current.toml shows the format."
    )
