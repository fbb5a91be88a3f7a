"""What is known of programs that run other programs: their options, and where in their words the other one is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeflow.syntax.shell.words import ANY, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a program: letters that stand alone, letters that take a value, long ones of both kinds."""

    flags: str = ""
    valued: str = ""
    long_flags: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    operands: int = 0
    """Words between the options and the command."""
    settings: bool = False
    """Whether NAME=VALUE may stand before the command."""
    adds_words: bool = False
    """Whether the command gets words that nobody knows before."""
    elevates: bool = False
    """Whether the command runs with other rights or elsewhere, so that the program is judged by itself too."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def _long(names: str) -> frozenset[str]:
    return frozenset(f"--{name}" for name in names.split())


WRAPPERS: Mapping[str, Options] = {
    "sudo": Options(
        flags="AbBEeHiKklNnPSsvV", valued="CDghpRrtTUu", settings=True, elevates=True,
        long_flags=_long("askpass background bell edit preserve-env set-home login non-interactive stdin shell"),
        long_valued=_long("close-from chdir group host prompt chroot role type command-timeout other-user user"),
    ),
    "doas": Options(flags="Lns", valued="aCu", elevates=True),
    "env": Options(
        flags="i0v", valued="uC", settings=True,
        long_flags=_long("ignore-environment null debug"), long_valued=_long("unset chdir"),
    ),
    "nice": Options(flags="0123456789", valued="n", long_valued=_long("adjustment")),
    "ionice": Options(flags="t", valued="cn", long_flags=_long("ignore"), long_valued=_long("class classdata")),
    "nohup": Options(),
    "timeout": Options(
        flags="fpv", valued="ks", operands=1,
        long_flags=_long("foreground preserve-status verbose"), long_valued=_long("kill-after signal"),
    ),
    "time": Options(flags="pavq", valued="of", long_flags=_long("portability verbose"), long_valued=_long("format output")),
    "command": Options(flags="pvV"),
    "builtin": Options(),
    "exec": Options(flags="cl", valued="a"),
    "coproc": Options(),
    "stdbuf": Options(valued="ioe", long_valued=_long("input output error")),
    "setsid": Options(flags="cfw", long_flags=_long("ctty fork wait")),
    "setarch": Options(flags="RLX3v"),
    "taskset": Options(flags="ac", operands=1),
    "chrt": Options(flags="bfiro", operands=1),
    "chroot": Options(operands=1, elevates=True, long_valued=_long("userspec groups")),
    "unbuffer": Options(flags="p"),
    "busybox": Options(),
    "toybox": Options(),
    "caffeinate": Options(flags="dimsu", valued="tw"),
    "xargs": Options(
        flags="0prtxo", valued="dEILnPsaJRS", adds_words=True,
        long_flags=_long("null no-run-if-empty verbose interactive exit open-tty"),
        long_valued=_long("delimiter arg-file max-args max-procs max-chars"),
    ),
    "strace": Options(
        flags="cCdDfFhikqrtTvVwxyYZz", valued="aeEIobOpPsSuX", elevates=True,
        long_flags=_long("follow-forks"), long_valued=_long("trace output"),
    ),
    "ltrace": Options(flags="cCfhiLrStTV", valued="aAeDlnopsuwxF", elevates=True),
    "flock": Options(flags="eFnosux", valued="Ew", operands=1, long_flags=_long("nonblock close"), long_valued=_long("timeout")),
}  # fmt: skip
"""Programs whose words end with the command that they run."""
LINE_RUNNERS: Mapping[str, Options] = {
    "eval": Options(),
    "watch": Options(
        flags="bcdegprtwxC", valued="nqs",
        long_flags=_long("beep color errexit chgexit no-title exec differences"), long_valued=_long("interval"),
    ),
    "parallel": Options(
        flags="0kmtuvXq", valued="aIjNnS", adds_words=True,
        long_flags=_long("keep-order dry-run verbose bar line-buffer ungroup"), long_valued=_long("jobs arg-file"),
    ),
    "ssh": Options(flags="46AaCfGgKkMNnqsTtVvXxYy", valued="BbcDEeFIiJLlmOoPpQRSWw", operands=1, elevates=True),
    "su": Options(flags="lmpf", valued="sgGw", operands=1, elevates=True),
}  # fmt: skip
"""Programs whose last words, joined by blanks, a shell runs."""
SHELLS = word_set("sh bash dash zsh ksh mksh ash fish rbash csh tcsh")
INTERPRETERS: Mapping[str, tuple[str, ...]] = {
    "python": ("-c",),
    "pypy": ("-c",),
    "perl": ("-e", "-E"),
    "ruby": ("-e",),
    "node": ("-e", "-p", "-pe", "--eval", "--print"),
    "nodejs": ("-e", "-p", "--eval", "--print"),
    "deno": ("eval",),
    "bun": ("-e", "--eval"),
    "php": ("-r", "-B", "-R", "-E"),
    "lua": ("-e",),
    "rscript": ("-e",),
    "julia": ("-e", "-E", "--eval"),
    "osascript": ("-e",),
    "pwsh": ("-c", "-command", "-encodedcommand"),
}
"""Programs that run code, and the options that carry it."""
CODE_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "tar": ("--checkpoint-action", "--to-command", "-I", "--use-compress-program", "-F", "--info-script", "--rsh-command"),
    "rsync": ("-e", "--rsh", "--rsync-path"),
    "scp": ("-S", "-o"),
    "sftp": ("-S", "-o"),
    "ssh": ("-o", "-F"),
    "zip": ("-TT", "--unzip-command"),
    "sort": ("--compress-program",),
    "vim": ("-c", "--cmd", "-S", "-s"),
    "vi": ("-c", "-S"),
    "nvim": ("-c", "--cmd", "-S"),
    "ex": ("-c",),
    "emacs": ("--eval", "--execute", "-f", "--funcall", "-l", "--load"),
    "gdb": ("-ex", "-x", "--eval-command", "--command", "-iex"),
    "make": ("--eval", "-E"),
    "less": ("+",),
    "man": ("-P", "--pager", "-H"),
    "psql": ("-c",),
    "sqlite3": ("-cmd",),
}  # fmt: skip
"""Options of other programs that carry a command or code."""
GIT_VALUED = word_set(
    "-C -c --git-dir --work-tree --namespace --super-prefix --config-env --exec-path --attr-source"
)
GIT_HARMLESS_CONFIG = re.compile(
    r"(user\.(name|email)|color\..*|core\.(quotepath|autocrlf|safecrlf|abbrev)|advice\..*|init\.defaultbranch"
    r"|commit\.gpgsign|tag\.gpgsign|diff\.(renames|algorithm|context)|log\..*|column\..*|safe\.directory|gc\.auto)=.*",
    re.IGNORECASE | re.DOTALL,
)
"""Settings of `git -c` that start no program."""
GIT_COMMANDS = word_set("""add am annotate apply archive bisect blame branch bugreport bundle cat-file check-attr check-ignore check-mailmap
    check-ref-format checkout checkout-index cherry cherry-pick clean clone column commit commit-graph commit-tree config
    count-objects credential daemon describe diff diff-files diff-index diff-tree difftool fast-export fast-import fetch
    filter-branch fmt-merge-msg for-each-ref for-each-repo format-patch fsck gc grep gui hash-object help hook init
    instaweb interpret-trailers lfs log ls-files ls-remote ls-tree maintenance merge merge-base merge-file merge-tree
    mergetool mktag mktree multi-pack-index mv name-rev notes pack-objects pack-refs patch-id prune pull push range-diff
    read-tree rebase reflog remote repack replace request-pull rerere reset restore rev-list rev-parse revert rm
    send-email shortlog show show-branch show-index show-ref sparse-checkout stash status stripspace submodule
    subtree switch symbolic-ref tag unpack-objects update-index update-ref update-server-info var verify-commit
    verify-pack verify-tag version whatchanged worktree write-tree""")
"""Git's own; any other name may be an alias, which runs anything."""
HARMLESS_SETTINGS = re.compile(
    r"(?!.*proxy)[a-z_][a-z0-9_]*|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|CI|DEBUG|VERBOSE|NO_COLOR|FORCE_COLOR"
    r"|CLICOLOR|PYTHONDONTWRITEBYTECODE|PYTHONUNBUFFERED|PYTHONHASHSEED|PYTHONIOENCODING|PYTHONUTF8|NODE_ENV"
    r"|RUST_BACKTRACE|RUST_LOG|RAILS_ENV|DJANGO_SETTINGS_MODULE|SOURCE_DATE_EPOCH|CARGO_TERM_COLOR|GOOS|GOARCH"
)
"""Variables that change what is printed, not what is run."""
RENAMING_SETTINGS = re.compile(
    r"LD_.*|DYLD_.*|PATH|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|BASH_FUNC.*|IFS|CDPATH|PATHEXT|HOME|GIT_EXEC_PATH|GIT_CONFIG.*|XDG_CONFIG.*"
)
"""Variables after which the name of a program no longer says what runs."""
COMMAND_SETTINGS = re.compile(
    r".*PAGER|.*EDITOR|VISUAL|BROWSER|GIT_(SSH|SSH_COMMAND|PROXY_COMMAND|ASKPASS|EXTERNAL_DIFF|SEQUENCE_EDITOR)"
    r"|SSH_ASKPASS|SUDO_ASKPASS|PROMPT_COMMAND|PS[0-4]|SHELL|MAKESHELL|LESSOPEN|LESSCLOSE|CC|CXX|.*_COMMAND"
)
"""Variables that hold a command."""


def command_start(words: Sequence[Word], options: Options) -> int | None:
    """Where the command begins in the words behind a program's name; None when that cannot be said."""
    at = 0
    while at < len(words):
        word = words[at]
        if not word.known:
            if word.several or word.shape.startswith(("-", ANY)):
                return None
            break
        step = _option_length(word.text, options)
        if step is None:
            return None
        if step == 0 or word.text == "--":
            at += word.text == "--"
            break
        at += step
    while options.settings and at < len(words) and re.match(r"[A-Za-z_]\w*=", words[at].text):
        at += 1
    return min(at + options.operands, len(words))


def _option_length(text: str, options: Options) -> int | None:
    """How many words an option takes; 0 for no option, None for one that is not known."""
    if not text.startswith("-") or text == "-":
        return 0
    if text == "--":
        return 1
    if text.startswith("--"):
        name, equals, _ = text.partition("=")
        if equals or name in options.long_flags:
            return 1
        return 2 if name in options.long_valued else None
    for place, letter in enumerate(text[1:], start=1):
        if letter in options.valued:
            return 1 if place + 1 < len(text) else 2
        if letter not in options.flags:
            return None
    return 1


def carries(words: Sequence[Word], names: Sequence[str]) -> bool:
    """Whether one of these options is among the words, also within a cluster of letters or with its value attached."""
    return any(_is_option(word, name) for word in words for name in names)


def _is_option(word: Word, name: str) -> bool:
    text = word.text.lower() if len(name) > 2 else word.text  # noqa: PLR2004 - a single letter has its case
    if name.startswith("--"):
        return text == name or text.startswith(f"{name}=")
    if len(name) == 2 and name.startswith("-"):  # noqa: PLR2004 - a dash and a letter
        return re.match(rf"-[A-Za-z0-9]*{name[1]}", text) is not None
    return text == name or (name == "+" and text.startswith("+"))
