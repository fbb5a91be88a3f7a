"""Which node of a workflow is next: a pure state machine, without a model, a clock or a file.

A node runs when everything that leads to it is settled and at least one edge to it holds; it is skipped when none
does. A loop edge leads back: when it holds, everything between its target and its source is as new. What lies behind a
loop waits until the loop is over.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from graphlib import TopologicalSorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From one node to another. `when` is a condition, None: the source went well. `at_most` makes it a loop."""

    source: str
    target: str
    when: str | None = None
    at_most: int | None = None

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"

    def leaves(self, nodes: Collection[str]) -> bool:
        """Whether it leads out of some nodes."""
        return self.source in nodes and self.target not in nodes


class State(Enum):
    """Where a node stands."""

    PENDING = auto()
    RUNNING = auto()
    DONE = auto()
    FAILED = auto()
    SKIPPED = auto()


OVER = frozenset({State.DONE, State.FAILED, State.SKIPPED})
_RAN = frozenset({State.DONE, State.FAILED})


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop edge and the nodes between its target and its source, both included."""

    edge: Edge
    body: frozenset[str]


class Shape:
    """What the nodes and edges of a workflow add up to, whatever happens in a run."""

    def __init__(self, nodes: Sequence[str], edges: Sequence[Edge]) -> None:
        """The edges without `at_most` must form no circle; see `circle`."""
        self.nodes = tuple(nodes)
        self.edges = tuple(edges)
        forward = [edge for edge in edges if edge.at_most is None]
        self.into: Mapping[str, list[Edge]] = _by(forward, lambda edge: edge.target)
        self.out_of: Mapping[str, list[Edge]] = _by(forward, lambda edge: edge.source)
        self.loops = tuple(Loop(edge, self._between(edge)) for edge in edges if edge.at_most is not None)

    def before(self, node: str) -> frozenset[str]:
        """Every node from which edges that are no loops lead here."""
        return _reached(node, lambda name: (edge.source for edge in self.into[name]))

    def after(self, node: str) -> frozenset[str]:
        """Every node to which edges that are no loops lead from here."""
        return _reached(node, lambda name: (edge.target for edge in self.out_of[name]))

    def most_visits(self, node: str) -> int:
        """How often a node can run at most."""
        most = 1
        for loop in self.loops:
            if node in loop.body:
                most *= (loop.edge.at_most or 0) + 1
        return most

    def deadlock(self) -> tuple[str, ...]:
        """Nodes that wait for each other since what leaves a loop waits for its end, in order, or nothing."""
        behind = (
            Edge(source=loop.edge.source, target=edge.target)
            for loop in self.loops
            for edge in self.edges
            if edge.leaves(loop.body)
        )
        return circle(self.nodes, [*self.edges, *behind])

    def _between(self, edge: Edge) -> frozenset[str]:
        after = self.after(edge.target) | {edge.target}
        before = self.before(edge.source) | {edge.source}
        return after & before


def circle(nodes: Iterable[str], edges: Iterable[Edge]) -> tuple[str, ...]:
    """Nodes that lead to each other without a bound, in order, or nothing."""
    following: defaultdict[str, set[str]] = defaultdict(set)
    for edge in edges:
        if edge.at_most is None:
            following[edge.target].add(edge.source)
    sorter = TopologicalSorter({node: following[node] for node in nodes})
    try:
        sorter.prepare()
    except ValueError as error:  # graphlib.CycleError
        return tuple(error.args[1])
    return ()


@dataclass(slots=True)
class Course:
    """One walk through a workflow. Whoever runs it calls `start` for each of `ready`, and `settle` when it ended."""

    shape: Shape
    holds: Callable[[Edge], bool]
    """Whether an edge with a condition may be taken, asked once its source has run."""
    at_least: Mapping[str, Callable[[int], bool]] = field(default_factory=dict)
    """Node -> whether so many taken edges are enough to run it; by default one is."""
    visits: dict[str, int] = field(default_factory=dict)
    """How often each node has begun."""
    _states: dict[str, State] = field(default_factory=dict)
    _taken: dict[Edge, bool] = field(default_factory=dict)
    _rounds: dict[Edge, int] = field(default_factory=dict)
    _short: set[str] = field(default_factory=set)

    def state(self, node: str) -> State:
        return self._states.get(node, State.PENDING)

    @property
    def unfollowed(self) -> tuple[str, ...]:
        """Nodes that failed without an edge that deals with it."""
        return tuple(
            node
            for node in self.shape.nodes
            if self.state(node) is State.FAILED
            and not any(self._taken.get(edge) for edge in self.shape.edges if edge.source == node)
        )

    @property
    def too_few(self) -> tuple[str, ...]:
        """Nodes that were left out since too little of what leads to them went well."""
        return tuple(node for node in self.shape.nodes if node in self._short)

    def ready(self) -> tuple[str, ...]:
        """The nodes to start now, in the order in which they are written."""
        while self._decide_loops() or self._skip():
            pass
        return tuple(node for node in self.shape.nodes if self._is_ready(node))

    def start(self, node: str) -> int:
        """Take note that a node begins; how many times it has."""
        self._states[node] = State.RUNNING
        self.visits[node] = self.visits.get(node, 0) + 1
        return self.visits[node]

    def settle(self, node: str, *, ok: bool) -> None:
        """Take note of a node's end."""
        self._states[node] = State.DONE if ok else State.FAILED

    def _decide_loops(self) -> bool:
        """Decide a loop whose end is reached; whether there was one."""
        for loop in self.shape.loops:
            edge = loop.edge
            if edge in self._taken or self.state(edge.source) not in OVER or not self._inner_over(loop):
                continue
            self._taken[edge] = self._goes_round(edge)
            if self._taken[edge]:
                self._go_round(loop)
            return True
        return False

    def _goes_round(self, edge: Edge) -> bool:
        has_rounds = self._rounds.get(edge, 0) < (edge.at_most or 0)
        return has_rounds and self.state(edge.source) in _RAN and self._holds(edge)

    def _inner_over(self, loop: Loop) -> bool:
        """Whether the loops inside have come to their end, so that theirs is not taken from them."""
        return all(other.edge in self._taken for other in self.shape.loops if other.body < loop.body)

    def _go_round(self, loop: Loop) -> None:
        self._rounds[loop.edge] = self._rounds.get(loop.edge, 0) + 1
        for node in loop.body:
            self._states.pop(node, None)
            self._short.discard(node)
        for edge in [edge for edge in self._taken if edge.source in loop.body]:
            del self._taken[edge]
        for other in self.shape.loops:
            if other.body < loop.body:
                self._rounds.pop(other.edge, None)

    def _skip(self) -> bool:
        """Leave out nodes that nothing leads to any more; whether there were any."""
        skipped = [node for node in self.shape.nodes if self._is_cut_off(node)]
        for node in skipped:
            self._states[node] = State.SKIPPED
        return bool(skipped)

    def _is_ready(self, node: str) -> bool:
        if self.state(node) is not State.PENDING:
            return False
        edges = self.shape.into[node]
        if not all(self._is_decided(edge) for edge in edges):
            return False
        return not edges or self._enough(node, edges)

    def _is_cut_off(self, node: str) -> bool:
        edges = self.shape.into[node]
        if self.state(node) is not State.PENDING or not edges or not all(map(self._is_decided, edges)):
            return False
        if self._enough(node, edges):
            return False
        if any(map(self._is_taken, edges)):
            self._short.add(node)
        return True

    def _enough(self, node: str, edges: Collection[Edge]) -> bool:
        taken = sum(map(self._is_taken, edges))
        return taken > 0 and self.at_least.get(node, bool)(taken)

    def _is_decided(self, edge: Edge) -> bool:
        """Whether the edge's source is settled for good: no loop that the edge leaves may go round again."""
        return self.state(edge.source) in OVER and all(
            loop.edge in self._taken for loop in self.shape.loops if edge.leaves(loop.body)
        )

    def _is_taken(self, edge: Edge) -> bool:
        if edge not in self._taken:
            self._taken[edge] = self.state(edge.source) in _RAN and self._holds(edge)
        return self._taken[edge]

    def _holds(self, edge: Edge) -> bool:
        return self.state(edge.source) is State.DONE if edge.when is None else self.holds(edge)


def _by(edges: Iterable[Edge], key: Callable[[Edge], str]) -> defaultdict[str, list[Edge]]:
    found: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[key(edge)].append(edge)
    return found


def _reached(node: str, following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        new = set(following(waiting.pop())) - found
        found |= new
        waiting += new
    return frozenset(found)
