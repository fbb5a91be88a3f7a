"""One JSON line per event while the run goes on, then the result object with `kind` = `result`."""

import json
from typing import TextIO

from codeflow.cli.render.json import result_object
from codeflow.core.codec import to_json
from codeflow.core.events import Event, RunFinished
from codeflow.core.ports import Emit


def stream_renderer(out: TextIO) -> Emit:
    """A consumer that writes every event as one line."""

    def show(event: Event) -> None:
        if isinstance(event, RunFinished):
            line = {"kind": "result"} | result_object(event.result)
        else:
            line = to_json(event)
        print(json.dumps(line), file=out, flush=True)

    return show
