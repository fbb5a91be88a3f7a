"""What a person has allowed for good in one folder: a file in the user's state folder, never in the repository."""

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.permissions import Layer
from codeflow.core.places import state_home
from codeflow.core.private import PrivateFile
from codeflow.policies.rules import Action, Rule, parse_rule


class Remembered:
    """The rules that answers of `always` have left in a folder, oldest first."""

    def __init__(self, folder: Path, env: Mapping[str, str] = os.environ) -> None:
        whole = folder.resolve()
        name = f"{sha256(os.fsencode(whole)).hexdigest()[:16]}.json"
        self._file = PrivateFile(state_home(env) / "permissions" / name, "allow", folder=str(whole))

    @property
    def path(self) -> Path:
        return self._file.path

    def entries(self) -> list[tuple[str, str]]:
        """Each rule as it is written, and the time it was given, in ISO form.

        Raises:
            UsageError: when the file cannot be used.
        """
        return [(str(record.get("rule", "")), str(record.get("at", ""))) for record in self._file.read()]

    def rules(self, tools: Collection[str]) -> Iterator[Rule]:
        """The rules.

        Raises:
            UsageError: when the file, or a rule in it, cannot be used.
        """
        for text, _at in self.entries():
            try:
                yield parse_rule(text, Action.ALLOW, Layer.REMEMBERED, tools)
            except ValueError as problem:
                raise UsageError(
                    f"{self.path}: {text}: {problem}",
                    hint="`codeflow permissions revoke` with this rule removes it.",
                ) from problem

    def add(self, rule: str) -> None:
        record = {"rule": rule, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        self._file.change(
            lambda records: (
                records if any(known.get("rule") == rule for known in records) else [*records, record]
            )
        )

    def remove(self, rule: str) -> None:
        self._file.change(lambda records: [record for record in records if record.get("rule") != rule])
