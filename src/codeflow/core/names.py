"""What to say of a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, names: Iterable[str]) -> str:
    """That nobody knows a name of some kind, and the nearest of those that there are, else all."""
    listed = sorted(names)
    near = get_close_matches(name, listed, n=3, cutoff=0.5)
    return f"no {kind} is called {name!r} ({'did you mean' if near else 'there are'}: {', '.join(near or listed)})"
