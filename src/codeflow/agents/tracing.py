"""Strands' tracer without the work that nobody sees."""

from opentelemetry.trace import Span
from strands.telemetry import tracer
from strands.types.content import Messages
from typing_extensions import override


class FrugalTracer(tracer.Tracer):
    """Writes conversations into spans that are recorded only.

    Strands' own turns the whole history into JSON twice a turn, also when nobody traces: half of the CPU time of a
    long session (tests/bench/soak.py).
    """

    @override
    def _add_event_messages(self, span: Span, messages: Messages) -> None:
        if span.is_recording():
            super()._add_event_messages(span, messages)


def install() -> None:
    """Make it the tracer of the agents that are made from now on."""
    if not isinstance(tracer._tracer_instance, FrugalTracer):  # noqa: SLF001 - Strands has no other way in
        tracer._tracer_instance = FrugalTracer()  # type: ignore[assignment] # noqa: SLF001 - declared as None
