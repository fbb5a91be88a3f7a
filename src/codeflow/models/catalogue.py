"""What codeflow knows about models: ids, prices, limits and quirks, read from `config/models.toml`."""

import difflib
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from codeflow.core.errors import UsageError
from codeflow.core.places import resource

DEFAULT_MAX_TOKENS = 16_000
"""Bedrock reserves quota for the whole of max_tokens, so a model's full output is not asked for by default."""
GLOBAL = "global"
PROFILE_PREFIXES = frozenset({GLOBAL, "us", "eu", "jp", "au", "in", "apac", "us-gov"})
_NAMED_RESOURCES = frozenset({"inference-profile", "foundation-model"})
_QUALIFIED_ID = re.compile(r"arn:\S+|(ollama|openai):\S+|([a-z-]+\.)?[a-z0-9]+\.[\w.:-]+")


class _Parsed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Parsed):
    """US dollars per million tokens; None where none is published."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    """Five-minute entries; None: writes are billed as input."""
    cache_write_1h: Decimal | None = None

    def times(self, factor: Decimal) -> "Prices":
        return Prices(
            input=self.input * factor,
            output=self.output * factor,
            cache_read=_times(self.cache_read, factor),
            cache_write=_times(self.cache_write, factor),
            cache_write_1h=_times(self.cache_write_1h, factor),
        )


def _times(price: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if price is None else price * factor


class PriceStep(_Parsed):
    """Prices of the whole call once its prompt, cached tokens included, exceeds `above` tokens."""

    above: int
    prices: Prices

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, data: Any) -> Any:
        if isinstance(data, dict) and "prices" not in data:
            return {"above": data.get("above"), "prices": {k: v for k, v in data.items() if k != "above"}}
        return data


class ModelSpec(_Parsed):
    """One model as it is invoked: `config/models.toml` documents the fields.

    `id` names the model, `model_id` what is sent to the service; prices are those of `model_id`.
    """

    id: str
    model_id: str = ""
    name: str
    profiles: tuple[str, ...] = ("",)
    price: Prices | None = None
    long_prompt: PriceStep | None = None
    regional_premium: Decimal = Decimal(0)
    tiers: dict[str, Decimal] = Field(default_factory=dict)
    context: int = Field(gt=0)
    max_output: int = Field(gt=0)
    max_tokens: int = DEFAULT_MAX_TOKENS
    tools: bool = True
    forced_tool_choice: bool = True
    streaming_tools: bool = True
    text_beside_results: bool = True
    sampling: Literal["free", "greedy_with_tools", "refused"] = "free"
    cache: Literal["none", "explicit", "auto"] = "none"
    cache_points: tuple[Literal["tools", "system", "messages"], ...] = ()
    cache_min_tokens: int = 0
    reasoning: bool = True
    end_of_life: date | None = None
    priced_on: date | None = None
    source: str = ""
    service_tier: str = ""
    base_url: str = ""
    region: str = ""
    """Where the model is called; "" is the run's own region."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: dict[str, Any]) -> dict[str, Any]:
        wanted = data.get("max_tokens", DEFAULT_MAX_TOKENS)
        return {"model_id": data.get("id"), **data, "max_tokens": min(wanted, data.get("max_output", wanted))}

    @classmethod
    def unknown(cls, model_id: str) -> "ModelSpec":
        """A model without an entry: no price, and nothing asked of it that some models refuse."""
        return cls(
            id=model_id,
            name=model_id,
            context=128_000,
            max_output=8_192,
            forced_tool_choice=False,
            sampling="refused",
            text_beside_results=False,
        )

    @property
    def provider(self) -> Literal["bedrock", "ollama", "openai"]:
        if self.model_id.startswith("ollama:"):
            return "ollama"
        return "openai" if self.model_id.startswith("openai:") else "bedrock"

    @property
    def address(self) -> str:
        """The id, with the region where one was chosen."""
        return f"{self.model_id}@{self.region}" if self.region else self.model_id

    @property
    def vendor(self) -> str:
        """Who made the model, for roles that want a second opinion from another family."""
        return re.split(r"[.:]", self.id, maxsplit=1)[0]

    @property
    def preferred_id(self) -> str:
        """The id to invoke when a user has no other wish: newer models refuse their plain id."""
        return f"{self.profiles[0]}.{self.id}".removeprefix(".")

    def invoked_as(self, model_id: str) -> "ModelSpec":
        """The same model under the id sent to the service, with the prices of that id."""
        scope, _ = split_id(model_id)
        factor = Decimal(1) if scope == GLOBAL else 1 + self.regional_premium
        step = self.long_prompt
        return self.model_copy(
            update={
                "model_id": model_id,
                "price": self.price and self.price.times(factor),
                "long_prompt": step and PriceStep(above=step.above, prices=step.prices.times(factor)),
            }
        )


def split_id(model_id: str) -> tuple[str, str]:
    """Profile prefix ("" if none) and plain id; an ARN that names no model stays whole."""
    name = model_id
    if model_id.startswith("arn:"):
        kind, _, tail = model_id.split(":", 5)[-1].partition("/")
        name = tail if kind in _NAMED_RESOURCES else model_id
    prefix, _, rest = name.partition(".")
    return (prefix, rest) if prefix in PROFILE_PREFIXES else ("", name)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every known model by its plain id, at list price."""

    models: dict[str, ModelSpec]

    @classmethod
    def load(cls, path: Path | None = None) -> "Catalogue":
        """The packaged catalogue, or another file of the same format.

        Raises:
            UsageError: naming the file and what is wrong in it.
        """
        file = path or resource("config") / "models.toml"
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
            origin = {"priced_on": table["priced_on"], "source": table["source"]}
            specs = [ModelSpec.model_validate({**origin, **entry}) for entry in table["model"]]
        except (OSError, KeyError, tomllib.TOMLDecodeError, ValidationError) as error:
            raise UsageError(
                f"{file}: not a model catalogue: {' '.join(str(error).split())}",
                hint="Compare it with the packaged config/models.toml.",
            ) from error
        return cls({spec.id: spec for spec in specs})

    def find(self, model_id: str) -> ModelSpec | None:
        """The model that an id, a profile id or an inference-profile ARN names.

        ARNs of application profiles and prompt routers do not tell their model: None.
        """
        spec = self.models.get(split_id(model_id)[1])
        return spec and spec.invoked_as(model_id)

    def nearest(self, name: str) -> list[str]:
        """Ids that the user may have meant, ready to be invoked; at most three."""
        wanted = split_id(name.lower())[1]
        containing = [plain for plain in self.models if wanted in plain]
        close = difflib.get_close_matches(wanted, self.models, n=3, cutoff=0.4)
        best = list(dict.fromkeys([*containing, *close]))[:3]
        return [self.models[plain].preferred_id for plain in best]

    def require(self, model_id: str) -> ModelSpec:
        """The model that an id names.

        Raises:
            UsageError: offering the nearest names.
        """
        spec = self.find(model_id)
        if spec:
            return spec
        nearest = self.nearest(model_id)
        hint = f"Did you mean {', '.join(nearest)}? " if nearest else ""
        raise UsageError(f"unknown model {model_id!r}", hint=f"{hint}`codeflow models` lists what is known.")

    def resolve(self, model_id: str) -> ModelSpec:
        """The model that an id names; a well-formed id that is not in the catalogue runs without a price.

        Raises:
            UsageError: for a name that no provider would accept, offering the nearest ones.
        """
        if self.find(model_id) is None and _QUALIFIED_ID.fullmatch(model_id):
            return ModelSpec.unknown(model_id)
        return self.require(model_id)
