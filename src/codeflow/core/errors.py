"""Faults, as one short tree; each says what to do in `hint` and which exit code it earns.

CodeflowError                 1
├── UsageError                2   a flag, file or setting that the user has to correct
├── ModelError                75  a model call that failed for good
│   ├── ModelAccessError      77  no access to the model
│   │   └── CredentialsError  77  credentials missing, expired or invalid
│   ├── ContextOverflowError  1   the conversation no longer fits the model
│   └── BadReplyError         1   the model kept answering with something unusable
├── DecisionNeededError       as what failed: a person has to decide how to go on
├── BudgetExceededError       3   the next call would break a limit
│   └── NodeBudgetError       3   that of a workflow's node, which the others do not share
├── RunawayError              3   an agent goes round in circles
├── PausedError               4   a person has to decide, and none is here
└── SessionError              1   a session or checkpoint that cannot be read or restored
"""

import errno

from codeflow.core.values import EXIT_CODES, EXIT_USAGE, Question, Status


class CodeflowError(Exception):
    """Base of every fault; `str(error)` is one line for people, `hint` what to do next."""

    status = Status.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


class UsageError(CodeflowError):
    """Something the user wrote cannot be used; nothing has been done."""

    @property
    def exit_code(self) -> int:
        return EXIT_USAGE


class ModelError(CodeflowError):
    """The model could not be reached, or kept failing after every retry and fallback."""

    status = Status.UNAVAILABLE


class ModelAccessError(ModelError):
    """Credentials are missing, expired or not allowed to use the model; retrying cannot help."""

    status = Status.NO_ACCESS


class CredentialsError(ModelAccessError):
    """There are no valid credentials, for any model."""


class ContextOverflowError(ModelError):
    """The request no longer fits the model's context window."""

    status = Status.FAILED


class BadReplyError(ModelError):
    """Every model of the role answered with malformed or truncated output."""

    status = Status.FAILED


class DecisionNeededError(CodeflowError):
    """An agent failed, the settings want a person to decide how to go on, and none is there.

    `status` is what the failure itself would have earned.
    """

    def __init__(self, message: str, *, hint: str, status: Status) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class BudgetExceededError(CodeflowError):
    """The next model call could break the budget, so it was not made."""

    status = Status.STOPPED


class NodeBudgetError(BudgetExceededError):
    """The next model call could break the budget of a workflow's node."""


class RunawayError(CodeflowError):
    """An agent goes round in circles."""

    status = Status.STOPPED


class PausedError(CodeflowError):
    """The run waits for a person's answer; resuming it asks again."""

    status = Status.PAUSED

    def __init__(self, question: Question) -> None:
        super().__init__(f"{question.tool} {question.summary} needs an answer: {question.reason}")
        self.question = question


class SessionError(CodeflowError):
    """A session or checkpoint cannot be found, read or restored."""


def remedy(error: OSError) -> str:
    """What a person can do about a file that could not be written, as a sentence."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "Make room on that disk."
        case errno.EROFS:
            return "Its disk is read-only: mount it writable."
        case errno.EACCES | errno.EPERM:
            return "Make it writable for you."
        case _:
            return "Look at that file and its folder."
