"""Settings of the terminal."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UiSettings(BaseModel):
    """How a person is called back to a long run, and whether the window says what runs in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notify: Literal["bell", "osc9", "osc777", "desktop", "off"]
    notify_after_s: float = Field(ge=0)
    title: bool
