"""A pull request or merge request, and what a review of it came to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What a review or a repair has to know of a pull request. `is_fork`: its branch is in another repository."""

    number: int
    title: str
    head_sha: str
    head_branch: str
    base_sha: str
    base_branch: str
    is_fork: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where a review is, and how many of its remarks are new, edited and taken back."""

    url: str
    new: int = 0
    edited: int = 0
    gone: int = 0
    refused: int = 0
    """Lines that the forge did not take, so that what is at them stands in the summary."""
