"""Reads a shell line into what it does: commands, settings and redirections, wherever they stand in it.

Whatever the grammar or this reader is not sure of becomes a Doubt, never a guess: bash and the grammar do not agree on
everything, and a command that only one of them sees must not slip through.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import Unparsable, parse
from codeflow.syntax.shell.programs import word_set
from codeflow.syntax.shell.words import Word, literal, read_word, unknown

if TYPE_CHECKING:
    import tree_sitter


@dataclass(frozen=True, slots=True)
class Run:
    """A command with its words. `stdin` is a here-document or here-string; None: another input, or one nobody knows.

    A `wrapper` only starts another command, which is a Run of its own.
    """

    words: tuple[Word, ...]
    stdin: str | None = None
    wrapper: bool = False

    @property
    def source(self) -> str:
        return " ".join(word.source for word in self.words)


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable gets a value."""

    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class Redirection:
    """A file is opened for a command."""

    target: Word
    writes: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something of the line that cannot be judged, and why.

    `hides`: commands may be in it that nobody sees before they run; else it is a program in another language.
    """

    reason: str
    hides: bool = True


Part = Run | Setting | Redirection | Doubt

_STRUCTURE = frozenset(
    {
        "program", "list", "pipeline", "subshell", "compound_statement", "negated_command", "redirected_statement",
        "if_statement", "elif_clause", "else_clause", "while_statement", "for_statement", "c_style_for_statement",
        "do_group", "case_statement", "case_item", "function_definition", "test_command", "variable_assignments",
        "command_substitution", "process_substitution", "command_name", "concatenation", "string", "expansion",
        "simple_expansion", "arithmetic_expansion", "array", "subscript", "herestring_redirect", "heredoc_body",
        "unary_expression", "binary_expression", "parenthesized_expression", "postfix_expression", "ternary_expression",
        "variable_assignment", "command", "declaration_command", "unset_command", "file_redirect", "heredoc_redirect",
        "translated_string", "brace_expression",
    }
)  # fmt: skip
"""Nodes that are understood by what stands in them."""
_LEAVES = frozenset(
    {
        "word", "number", "variable_name", "special_variable_name", "string_content", "raw_string", "ansi_c_string",
        "comment", "file_descriptor", "heredoc_start", "heredoc_content", "heredoc_end", "heredoc_body",
        "extglob_pattern", "regex", "test_operator",
    }
)  # fmt: skip
_ONE_LINE = frozenset(
    {
        "command", "declaration_command", "unset_command", "variable_assignment", "variable_assignments", "file_redirect",
        "redirected_statement", "herestring_redirect", "negated_command", "command_name",
    }
)  # fmt: skip
"""Nodes that a line break ends; the grammar overlooks one that a continued line follows."""
_QUOTED = frozenset({"raw_string", "ansi_c_string", "comment", "heredoc_start", "heredoc_end"})
_LOOSE_TEXT = frozenset({"string", "brace_expression", "heredoc_body", "expansion", "translated_string"})
"""Nodes with text of their own between their children."""
_SUBSTITUTION = re.compile(r"`|\$\(|[<>]\(")
_RESERVED = word_set(
    "{ } ! if then elif else fi while until do done for select case esac in function [[ ]] coproc"
)
_LOST_DASH = re.compile(rb"[ \t]+-[ \t]*\d*<<")
_CALCULATING = frozenset({"let", "test", "printf", "read", "mapfile", "readarray", "wait"})
_DEVICES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty"})
_WRITES = frozenset({">", ">>", ">|", "&>", "&>>", ">&", "<>"})
_MOST_CHARACTERS = 100_000
_MOST_JOINED = 2_000
"""The grammar takes quadratic time on a long pipeline or list, and cannot be stopped."""
_CANNOT_PARSE = "the line cannot be parsed"


def read(line: str) -> tuple[Part, ...]:
    """What the line itself does; what its commands start in their turn is not looked at."""
    if strange := _strange(line):
        return (Doubt(strange),)
    source = line.encode("utf-8", "surrogateescape")
    language = language_of("line.sh")
    if language is None or not language.installed:
        return (Doubt("the grammar for shell lines is not installed"),)
    try:
        source.decode()
        tree = parse(language, source)
    except (Unparsable, UnicodeDecodeError) as error:
        return (Doubt(f"{_CANNOT_PARSE}: {error}"),)
    return tuple(dict.fromkeys(_Line(source).parts(tree.root_node)))


def _strange(line: str) -> str:
    """Bash and the grammar take other blanks and control characters differently."""
    if len(line) > _MOST_CHARACTERS:
        return f"it has more than {_MOST_CHARACTERS:,} characters"
    if line.count("|") + line.count("&&") > _MOST_JOINED:
        return f"it joins more than {_MOST_JOINED:,} commands"
    found = next((c for c in line if c not in " \t\n" and (c.isspace() or not c.isprintable())), None)
    return "" if found is None else f"the character U+{ord(found):04X} is in it"


@dataclass(frozen=True, slots=True)
class _Line:
    source: bytes

    def parts(self, root: "tree_sitter.Node") -> Iterator[Part]:
        if root.has_error:
            yield Doubt(_CANNOT_PARSE)
        waiting = [root]
        calculates = quotes = False
        while waiting:
            node = waiting.pop()
            yield from self._of(node)
            calculates = calculates or self._calculates(node)
            quotes = quotes or self._quotes_command(node)
            if node.child_count:
                waiting.extend(reversed(node.children))
        if calculates and quotes:
            yield Doubt("bash runs substitutions that a calculation or a test finds in a text")

    def _calculates(self, node: "tree_sitter.Node") -> bool:
        """Whether bash evaluates what variables or quoted words hold, as in `[[ x -eq 1 ]]` with x='a[$(make)]'."""
        if node.type == "command":
            return self._text(node.child_by_field_name("name")) in _CALCULATING
        if node.type == "expansion":
            return re.fullmatch(r"\$\{\w+\}", self._text(node)) is None
        opens_numbers = node.type in {"compound_statement", "test_command"} and node.children[0].type in {
            "((",
            "[[",
            "[",
        }
        return opens_numbers or node.type in {
            "arithmetic_expansion", "c_style_for_statement", "declaration_command", "unset_command", "subscript",
        }  # fmt: skip

    def _quotes_command(self, node: "tree_sitter.Node") -> bool:
        """Whether the text of a substitution stands in quotes, so that it is none by itself."""
        match node.type:
            case "raw_string":
                return _SUBSTITUTION.search(self._text(node)) is not None
            case "heredoc_body":
                return self._is_quoted_body(node) and _SUBSTITUTION.search(self._text(node)) is not None
            case "ansi_c_string":
                return True
            case "string" | "word":
                return re.search(r"\\[$`]", self._text(node)) is not None
            case _:
                return False

    def _of(self, node: "tree_sitter.Node") -> Iterator[Part]:
        yield from self._doubts(node)
        match node.type:
            case "command":
                yield from self._command(node)
            case "variable_assignment":
                yield self._setting(node)
            case "declaration_command" | "unset_command":
                yield from self._declared(node)
            case "for_statement":
                yield from self._loop(node)
            case "file_redirect":
                yield from self._redirection(node)
            case "heredoc_redirect":
                yield from self._heredoc(node)

    def _doubts(self, node: "tree_sitter.Node") -> Iterator[Doubt]:
        if (
            node.is_missing
            or node.type == "ERROR"
            or (node.is_named and node.type not in _STRUCTURE and node.type not in _LEAVES)
        ):
            yield Doubt(_CANNOT_PARSE)
        if node.type == "comment" and not self._begins_word(node):
            yield Doubt(_CANNOT_PARSE)
        if not node.children:
            if self._hides_substitution(node):
                yield Doubt(_CANNOT_PARSE)
        elif node.type not in _LOOSE_TEXT and not self._has_only_blanks_between(node):
            yield Doubt(_CANNOT_PARSE)

    def _hides_substitution(self, leaf: "tree_sitter.Node") -> bool:
        """Whether bash would run something in a text that the grammar takes for plain."""
        if not leaf.is_named or leaf.type in _QUOTED or self._is_quoted_body(leaf):
            return False
        return bool(_SUBSTITUTION.search(re.sub(r"\\.", "", self._text(leaf), flags=re.DOTALL)))

    def _has_only_blanks_between(self, node: "tree_sitter.Node") -> bool:
        blanks = b"" if node.type == "concatenation" else b" \t" if node.type in _ONE_LINE else b" \t\n"
        at = node.start_byte
        for child in node.children:
            lost = self._gap(at, child.start_byte).strip(blanks or b"\0")
            joins = node.type in _ONE_LINE and self._joins(at, child.start_byte)
            if (lost or joins) and not self._is_lost_dash(child):
                return False
            at = max(at, child.end_byte)
        return not self._gap(at, node.end_byte).strip(blanks or b"\0")

    def _gap(self, start: int, end: int) -> bytes:
        return self.source[start:end].replace(b"\\\n", b"")

    def _joins(self, start: int, end: int) -> bool:
        """Whether a continued line makes one word of what the grammar takes for two."""
        return start < end and not self._gap(start, end)

    def _is_lost_dash(self, node: "tree_sitter.Node") -> bool:
        """The grammar leaves out the word `-` between a command and its here-document."""
        before = node.prev_sibling
        lost = node.type == "heredoc_redirect" and before is not None
        return (
            lost and before is not None and self._gap(before.end_byte, node.start_byte).strip(b" \t") == b"-"
        )

    def _begins_word(self, node: "tree_sitter.Node") -> bool:
        at = node.start_byte
        while self.source.endswith(b"\\\n", 0, at):
            at -= 2
        return at == 0 or self.source[at - 1 : at] in b" \t\n;&|()"

    def _is_quoted_body(self, node: "tree_sitter.Node") -> bool:
        return node.type == "heredoc_body" and self._is_quoted(node.parent)

    def _is_quoted(self, redirect: "tree_sitter.Node | None") -> bool:
        start = _child(redirect, "heredoc_start")
        return start is not None and any(mark in self._text(start) for mark in "'\"\\")

    def _command(self, node: "tree_sitter.Node") -> Iterator[Part]:
        named = [
            child
            for child in node.children
            if child.type not in {"variable_assignment", "comment"} and "redirect" not in child.type
        ]
        words = tuple(read_word(child, self.source) for child in named)
        if _LOST_DASH.match(self.source, node.end_byte):
            words = (*words, literal("-"))
        if not words:
            return
        if words[0].source in _RESERVED:
            yield Doubt(_CANNOT_PARSE)
        yield Run(words, self._stdin(node))

    def _setting(self, node: "tree_sitter.Node") -> Setting:
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        read = read_word(value, self.source) if value is not None else Word("", "", "")
        return Setting(self._text(name).partition("[")[0] if name is not None else "", read)

    def _declared(self, node: "tree_sitter.Node") -> Iterator[Setting]:
        """Names without a value that are exported or removed; options that nobody here knows set nothing."""
        for child in node.children:
            if child.type == "variable_name" or child.type in {
                "string",
                "concatenation",
                "raw_string",
                "simple_expansion",
                "expansion",
            }:
                yield Setting(self._text(child), unknown(""))

    def _loop(self, node: "tree_sitter.Node") -> Iterator[Setting]:
        variable = node.child_by_field_name("variable")
        if variable is not None:
            yield Setting(self._text(variable), unknown(""))

    def _redirection(self, node: "tree_sitter.Node") -> Iterator[Part]:
        operator = next((self._text(child) for child in node.children if not child.is_named), "")
        for target in node.children_by_field_name("destination"):
            word = read_word(target, self.source)
            if operator in {">&", "<&"} and re.fullmatch(r"\d+-?|-", word.text):
                continue
            if word.text.startswith(("/dev/tcp/", "/dev/udp/")):
                yield Doubt(f"{word.source} is a network connection")
            elif not (word.known and (word.text in _DEVICES or word.text.startswith("/dev/fd/"))):
                yield Redirection(word, writes=operator in _WRITES)

    def _heredoc(self, node: "tree_sitter.Node") -> Iterator[Doubt]:
        """Where the body ends decides what is run behind it: bash must see its end where the grammar does."""
        start, body, end = (_child(node, f"heredoc_{part}") for part in ("start", "body", "end"))
        mark = re.sub(r"['\"\\]", "", self._text(start)) if start is not None else ""
        lines = self._text(body).split("\n") if body is not None else []
        if (
            not mark
            or end is None
            or self._text(end).strip("\t") != mark
            or mark in {x.strip("\t") for x in lines}
        ):
            yield Doubt(_CANNOT_PARSE)

    def _stdin(self, command: "tree_sitter.Node") -> str | None:
        string = _child(command, "herestring_redirect")
        if string is not None:
            word = read_word(string.children[-1], self.source)
            return word.text if word.known else None
        statement = command.parent
        heredoc = (
            _child(statement, "heredoc_redirect")
            if statement and statement.type == "redirected_statement"
            else None
        )
        body = _child(heredoc, "heredoc_body")
        if body is None:
            return None
        text = self._text(body)
        return text if self._is_quoted(heredoc) or not re.search(r"[$`\\]", text) else None

    def _text(self, node: "tree_sitter.Node | None") -> str:
        return "" if node is None else self.source[node.start_byte : node.end_byte].decode()


def _child(node: "tree_sitter.Node | None", kind: str) -> "tree_sitter.Node | None":
    children: Sequence[tree_sitter.Node] = node.children if node is not None else ()
    return next((child for child in children if child.type == kind), None)
