"""Follows a shell line into the commands that its commands run: sudo, env, xargs, sh -c, find -exec, git aliases."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from codeflow.syntax.shell.programs import (
    CODE_OPTIONS,
    COMMAND_SETTINGS,
    GIT_COMMANDS,
    GIT_HARMLESS_CONFIG,
    GIT_VALUED,
    INTERPRETERS,
    LINE_RUNNERS,
    RENAMING_SETTINGS,
    SHELLS,
    WRAPPERS,
    Options,
    carries,
    command_start,
    word_set,
)
from codeflow.syntax.shell.reader import Doubt, Part, Run, Setting, read
from codeflow.syntax.shell.words import ANY, HOME, Word, literal, unknown

_MOST_DEPTH = 8
_MOST_INNER = 20_000
_MOST_PARTS = 5_000
_MOST_SUFFIXES = 20
_STDIN = frozenset({"/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_RENAMERS = frozenset({"alias", "hash", "enable", "bind", "complete"})
_FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FIND_PLAIN = word_set(
    "-type -maxdepth -mindepth -delete -print -print0 -depth -xdev -mount -L -P -H -o -a -not -follow"
)
"""Words of a find expression that leave what it finds almost everything."""
_SED_PLAIN = re.compile(r"(\d+|\$)?(,(\d+|\$))?!?[pdq]|s(.)(?:\\.|(?!\4).)*\4(?:\\.|(?!\4).)*\4[gip0-9]*")
_TOO_MUCH = Doubt("too many commands are in it")


def parts_of(line: str) -> tuple[Part, ...]:
    """Everything that a shell line does, as far as its words tell, what its commands start included."""
    return tuple(dict.fromkeys(_bounded(_line(line, _MOST_DEPTH))))


def _bounded(parts: Iterator[Part]) -> Iterator[Part]:
    for number, part in enumerate(parts):
        if number >= _MOST_PARTS:
            yield _TOO_MUCH
            return
        yield part


def program(word: Word) -> str:
    """The name of a program without its folder, in lower case: some file systems do not tell the cases apart."""
    return word.text.rstrip("/").rpartition("/")[2].lower()


def _line(line: str, depth: int) -> Iterator[Part]:
    if depth == 0:
        yield Doubt("commands are nested in it too deeply")
        return
    if depth < _MOST_DEPTH and len(line) > _MOST_INNER:
        yield Doubt(f"a line within it has more than {_MOST_INNER:,} characters")
        return
    for part in read(line):
        if isinstance(part, Run):
            yield from _run(part, depth)
        elif isinstance(part, Setting):
            yield part
            yield from _setting(part, depth)
        else:
            yield part


def _with_text(word: Word, text: str) -> Word:
    """A part of a word as a word, known if the whole is."""
    return literal(text) if word.known else unknown(word.source)


def _setting(setting: Setting, depth: int) -> Iterator[Part]:
    if RENAMING_SETTINGS.fullmatch(setting.name):
        yield Doubt(f"with {setting.name} set, names of programs no longer say what runs")
    elif COMMAND_SETTINGS.fullmatch(setting.name):
        yield from _inner_line([setting.value], depth)


def _run(run: Run, depth: int) -> Iterator[Part]:
    """The command, and what it runs in its turn."""
    name = run.words[0]
    if not name.known:
        yield Doubt(f"{name.source} says only when it runs what it runs")
        yield from _suffixes(run.words[1:], depth)
        return
    if depth == 0:
        yield Doubt("commands are nested in it too deeply")
        return
    program_name = program(name)
    if program_name in WRAPPERS:
        yield from _wrapped(run, WRAPPERS[program_name], depth)
        return
    yield run
    yield from _started(run, program_name, depth)
    if program_name in _RENAMERS:
        yield Doubt(f"after `{run.source}` names may no longer say what runs")
    yield from _code(run, program_name)


def _started(run: Run, name: str, depth: int) -> Iterator[Part]:
    """What a program runs that is no mere wrapper."""
    rest = run.words[1:]
    if name in LINE_RUNNERS:
        yield from _joined(run, LINE_RUNNERS[name], depth)
    elif name in SHELLS:
        yield from _shell(run, depth)
    elif name in {"source", "."}:
        yield from _sourced(run, depth)
    elif name == "find":
        yield from _find(rest, depth)
    elif name == "git":
        yield from _git(rest, depth)
    elif name == "trap":
        yield from _inner_line(rest[:1], depth)
    elif name == "alias":
        for word in rest:
            yield from _inner_line([_with_text(word, word.text.partition("=")[2])], depth)


def _wrapped(run: Run, options: Options, depth: int) -> Iterator[Part]:
    rest = run.words[1:]
    start = command_start(rest, options)
    if start is None and program(run.words[0]) == "env":
        yield from _split_string(rest, depth)
    if start is None:
        yield run
        yield Doubt(f"where the command in `{run.source}` begins is not known")
        yield from _suffixes(rest, depth)
        return
    for word in rest[:start] if options.settings else ():
        setting = re.match(r"([A-Za-z_]\w*)=(.*)", word.text, re.DOTALL)
        if setting:
            part = Setting(setting[1], literal(setting[2]) if word.known else unknown(word.source))
            yield part
            yield from _setting(part, depth)
    inner = rest[start:]
    looks = program(run.words[0]) == "command" and carries(rest[:start], ["-v", "-V"])
    if looks or (not inner and not options.adds_words):
        yield run
        if options.elevates:
            yield from _input(run, depth)
        return
    yield replace(run, wrapper=not options.elevates)
    added = (unknown("…"),) if options.adds_words else ()
    command = inner or (literal("echo"),)
    yield from _run(Run((*command, *added), run.stdin), depth - 1)


def _split_string(words: Sequence[Word], depth: int) -> Iterator[Part]:
    """`env -S 'COMMAND'`, which splits its value almost like a shell."""
    for at, word in enumerate(words):
        attached = re.match(r"-[A-Za-z]*S(.*)|--split-string=?(.*)", word.text, re.DOTALL)
        if attached:
            value = attached[1] or attached[2]
            line = [_with_text(word, value)] if value else [*words[at + 1 : at + 2]]
            yield from _inner_line(line, depth)


def _joined(run: Run, options: Options, depth: int) -> Iterator[Part]:
    words = run.words[1:]
    start = command_start(words, options)
    if start is None:
        yield Doubt("where the command in it begins is not known")
        start = next((at for at, word in enumerate(words) if not word.text.startswith("-")), len(words))
    ends = [at for at, word in enumerate(words) if word.text.startswith(":::")]
    inner = words[start : ends[0]] if ends else words[start:]
    carried = re.compile(r"(?:-c|--command)(?:=(.*))?", re.DOTALL)
    given = [at for at, word in enumerate(words) if carried.fullmatch(word.text)]
    if given and options.elevates:
        inner = words[given[0] + 1 : given[0] + 2]
    if inner:
        yield from _inner_line(inner, depth, adds=options.adds_words)
    elif options.adds_words or options.elevates:
        yield from _input(run, depth)


def _inner_line(words: Sequence[Word], depth: int, *, adds: bool = False) -> Iterator[Part]:
    """What the words, joined by blanks, are as a shell line."""
    if not all(word.known for word in words):
        yield Doubt("a part of the command in it is known only when it runs")
    text = " ".join(word.text for word in words).replace(HOME, "${HOME}")
    yield from _line(f"{text} $MORE" if adds else text, depth - 1)


def _shell(run: Run, depth: int) -> Iterator[Part]:
    """A shell: its -c line, its script, or what its input says."""
    rest = run.words[1:]
    for at, word in enumerate(rest):
        if word.several or word.shape.startswith(ANY):
            yield Doubt(f"`{run.source}` runs what only the running line knows")
            return
        if re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*|--command(=.*)?", word.text):
            lines = [after for after in rest[at + 1 :] if not after.text.startswith(("-", "+"))][:1]
            attached = word.text.partition("=")[2]
            yield from _inner_line([literal(attached)] if attached else lines, depth)
            return
        if word.text in {"-o", "+o", "-O", "+O", "--rcfile", "--init-file"}:
            continue
        is_script = not word.text.startswith(("-", "+")) and rest[at - 1 : at] != (literal("-o"),)
        if is_script and word.text not in _STDIN:
            return
    yield from _input(run, depth)


def _sourced(run: Run, depth: int) -> Iterator[Part]:
    if not all(word.known for word in run.words):
        yield Doubt(f"`{run.source}` runs what only the running line knows")
    elif any(word.text in _STDIN for word in run.words):
        yield from _input(run, depth)


def _input(run: Run, depth: int) -> Iterator[Part]:
    """What a shell runs that reads its commands from its input."""
    if run.stdin is None:
        yield Doubt(f"`{run.source}` runs what its input says")
    else:
        yield from _line(run.stdin, depth - 1)


def _find(words: Sequence[Word], depth: int) -> Iterator[Part]:
    """`-exec` and `-delete`: what they get is below the starting points, or these themselves."""
    expression = next((at for at, word in enumerate(words) if word.text[:1] in {"-", "(", "!"}), len(words))
    starts = words[:expression] or (literal("."),)
    filtered = any(
        word.text.startswith("-") and word.text not in _FIND_PLAIN | _FIND_RUNS
        for word in _tests(words[expression:])
    )
    below = [Word(f"{s.source}/…", f"{s.text}/{{}}", f"{s.shape}/{ANY}") for s in starts]
    found = tuple(below if filtered else starts)
    if any(word.text == "-delete" for word in words):
        yield from _run(Run((literal("rm"), literal("-r"), *found)), depth - 1)
    if carries(words, ["-fprint", "-fprintf", "-fls", "-fprint0"]):
        yield Doubt("find writes a file in it", hides=False)
    at = 0
    while at < len(words):
        if words[at].text in _FIND_RUNS:
            end = next((i for i in range(at + 1, len(words)) if words[i].text in {";", "+"}), len(words))
            inner = [piece for one in words[at + 1 : end] for piece in _filled(one, found)]
            yield from _run(Run(tuple(inner)), depth - 1) if inner else ()
            at = end
        at += 1


def _filled(word: Word, found: tuple[Word, ...]) -> tuple[Word, ...]:
    """A word of -exec with what was found in the place of {}."""
    if word.text == "{}":
        return found
    return (Word(word.source, word.text, word.shape.replace("{}", ANY)),)


def _tests(words: Sequence[Word]) -> Iterator[Word]:
    """The words of a find expression without the commands in it."""
    inside = False
    for word in words:
        if inside:
            inside = word.text not in {";", "+"}
        else:
            inside = word.text in _FIND_RUNS
            yield word


def _git(words: Sequence[Word], depth: int) -> Iterator[Part]:
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        option, value = words[at], words[at + 1] if at + 1 < len(words) else literal("")
        if option.text == "-c":
            yield from _git_setting(value, depth)
        elif option.text.startswith(("--exec-path=", "--config-env")):
            yield Doubt(f"{option.source} decides which programs git runs")
        at += 2 if option.text in GIT_VALUED else 1
    if at >= len(words):
        return
    command, rest = words[at], words[at + 1 :]
    if not command.known:
        yield Doubt(f"which command of git {command.source} is, is known only when it runs")
    elif command.text not in GIT_COMMANDS:
        yield Doubt(f"git {command.source} is none of git's own commands; an alias runs anything")
    yield from _git_runs(command.text, rest, depth)


def _git_setting(setting: Word, depth: int) -> Iterator[Part]:
    name, _, value = setting.text.partition("=")
    if name.lower().startswith("alias.") and setting.known:
        yield from _inner_line([literal(value[1:] if value.startswith("!") else f"git {value}")], depth)
    if not (setting.known and GIT_HARMLESS_CONFIG.fullmatch(setting.text)):
        yield Doubt(f"git's setting {name} may run a program", hides=False)
        yield from _inner_line([literal(value)], depth) if value and setting.known and " " in value else ()


def _git_runs(command: str, rest: Sequence[Word], depth: int) -> Iterator[Part]:
    """The commands within git's own."""
    if command == "bisect" and rest[:1] == (literal("run"),):
        yield from _run(Run(tuple(rest[1:])), depth - 1) if rest[1:] else ()
    if command == "submodule":
        places = [at for at, word in enumerate(rest) if word.text == "foreach"]
        inner = [word for word in rest[places[0] + 1 :] if not word.text.startswith("--")] if places else []
        yield from _inner_line(inner, depth) if inner else ()
    for at, word in enumerate(rest):
        if command == "rebase" and word.text in {"-x", "--exec"}:
            yield from _inner_line(rest[at + 1 : at + 2], depth)
        elif command == "rebase" and word.text.startswith("--exec="):
            yield from _inner_line([literal(word.text.removeprefix("--exec="))], depth)
        elif (command, word.text[:2]) in {("grep", "-O"), ("difftool", "-x")} or word.text.startswith(
            (
                "--open-files-in-pager",
                "--extcmd",
                "--upload-pack",
                "--receive-pack",
                "--tree-filter",
                "--index-filter",
            )
        ):
            yield Doubt(f"git {command} {word.source} runs a program", hides=False)


def _code(run: Run, name: str) -> Iterator[Doubt]:
    """Programs in other languages, which nobody reads here."""
    rest = run.words[1:]
    family = re.sub(r"[\d.]+$", "", name)
    if family in INTERPRETERS:
        behind = [word for word in rest if not word.text.startswith("-")]
        if carries(_own_options(rest), INTERPRETERS[family]) or (
            family == "deno" and carries(rest[:1], ["eval"])
        ):
            yield Doubt(f"`{run.words[0].source}` runs code that stands in the line", hides=False)
        elif (not behind and not carries(rest, ["--version", "-V", "--help", "-h", "-v"])) or carries(
            rest[-1:], ["-"]
        ):
            yield Doubt(f"`{run.source}` runs code from its input", hides=False)
    if name in CODE_OPTIONS and carries(rest, CODE_OPTIONS[name]):
        yield Doubt(f"an option of {name} carries a command", hides=False)
    if family in {"awk", "gawk", "mawk", "nawk"} and any(
        re.search(r"system|getline|[|>]", w.text) for w in rest
    ):
        yield Doubt(f"{name} runs code that stands in the line", hides=False)
    if family == "sed" and not any(_SED_PLAIN.fullmatch(word.text) for word in rest):
        yield Doubt("the script of sed may write files or run commands", hides=False)


def _own_options(words: Sequence[Word]) -> Sequence[Word]:
    """The options of an interpreter, not those of the script or module that it runs."""
    for at, word in enumerate(words):
        if word.text == "-m" or not word.text.startswith("-"):
            return words[:at]
    return words


def _suffixes(words: Sequence[Word], depth: int) -> Iterator[Part]:
    """Every command that the words could end with; what is denied among them is denied."""
    for at, word in enumerate(words[:_MOST_SUFFIXES]):
        if word.known and not word.text.startswith("-") and depth > 1:
            yield from (part for part in _run(Run(tuple(words[at:])), 1) if isinstance(part, Run))
