"""The environment of commands: what builds and tests need of the user's own, and what the user names."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from codeflow.core.programs import NO_NETWORK_GIT, path_outside
from codeflow.core.secrets import is_secret_variable
from codeflow.tools.borrowed import borrowed_environment, lender_of

_PASSED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|COLORTERM|COLUMNS|LINES|TMPDIR|TMP|TEMP|PWD|OLDPWD|HOSTNAME"
    r"|EDITOR|DISPLAY|WAYLAND_DISPLAY|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|CI|DEBIAN_FRONTEND|SOURCE_DATE_EPOCH"
    r"|GIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)|EMAIL"
    r"|(?:http|https|ftp|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
    r"|CC|CXX|CPP|LD|AR|AS|NM|RANLIB|STRIP|(?:C|CPP|CXX|LD|F)FLAGS|LDLIBS|MAKEFLAGS|CMAKE_\w+|PKG_CONFIG_\w+|LD_LIBRARY_PATH"
    r"|LIBRARY_PATH|DYLD_(?:FALLBACK_)?LIBRARY_PATH|C_INCLUDE_PATH|CPLUS_INCLUDE_PATH|MANPATH|INFOPATH|SDKROOT"
    r"|VIRTUAL_ENV|CONDA_(?:PREFIX|DEFAULT_ENV|EXE|PYTHON_EXE|SHLVL)|(?:PYENV|PIPX|UV|POETRY|PDM|HATCH|RYE|PIPENV)_\w+"
    r"|PYTHON(?:UNBUFFERED|DONTWRITEBYTECODE|HASHSEED|IOENCODING|UTF8|WARNINGS|PYCACHEPREFIX)|PIP_\w+|TOX_\w+|NOX_\w+|PYTEST_\w+"
    r"|NODE_\w+|NVM_\w+|NPM_CONFIG_\w+|COREPACK_\w+|YARN_\w+|PNPM_HOME|BUN_INSTALL|DENO_\w+|VOLTA_HOME|FNM_\w+"
    r"|JAVA_\w+|JDK_HOME|MAVEN_\w+|M2_HOME|GRADLE_\w+|SDKMAN_\w+|ANDROID_\w+|KOTLIN_HOME|SCALA_HOME|SBT_OPTS"
    r"|GO(?:PATH|ROOT|BIN|CACHE|MODCACHE|FLAGS|PROXY|PRIVATE|NOPROXY|NOSUMDB|SUMDB|OS|ARCH|ARM|TOOLCHAIN|WORK|EXPERIMENT)|CGO_\w+"
    r"|CARGO_\w+|RUST\w*|RUSTUP_\w+|SCCACHE_DIR|CCACHE_DIR|GEM_(?:HOME|PATH)|BUNDLE_\w+|RBENV_\w+|RVM_\w+|RUBY\w+|RAILS_ENV"
    r"|RACK_ENV|PHP\w*|COMPOSER_HOME|PERL5LIB|LUA_PATH|DOTNET_\w+|NUGET_PACKAGES|ERL_\w+|MIX_\w+|GHCUP_\w+|STACK_ROOT"
    r"|NIX_\w+|ASDF_\w+|MISE_\w+|HOMEBREW_(?:PREFIX|CELLAR|REPOSITORY)|DJANGO_SETTINGS_MODULE|FLASK_(?:APP|ENV|DEBUG)",
    re.IGNORECASE,
)
"""What builds and tests need of a machine, its language and its toolchains; never what opens anything."""
_NEVER = re.compile(r"CODEFLOW_.*|PYTHONPATH|PYTHONHOME|GIT_(?!(AUTHOR|COMMITTER)_(NAME|EMAIL)$).*")
"""Codeflow's own, and what points Python or git elsewhere."""
_FIXED = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "GIT_EDITOR": "true",  # nobody is there to close an editor
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "PYTHONDONTWRITEBYTECODE": "1",  # gates leave no files behind
    "TERM": "dumb",
}


def scrubbed_environment(env: Mapping[str, str], root: Path, pass_env: Sequence[str] = ()) -> dict[str, str]:
    """What a command in `root` gets to see of `env`.

    That is what builds and tests need, and what `pass_env` names: exact names, and globs, which pass nothing that is
    named or shaped like a credential. Codeflow's own variables and virtual environment, and what points Python or git
    elsewhere, are left out whoever names them. The AWS SDKs find no credential files. The project's virtual environment
    comes first on PATH. This keeps secrets out of reach of accidents; it is no sandbox, files stay readable.
    """
    kept = {name: value for name, value in env.items() if _passes(name, value, pass_env)}
    own = Path(sys.prefix)
    if kept.get("VIRTUAL_ENV") and Path(kept["VIRTUAL_ENV"]) == own:
        del kept["VIRTUAL_ENV"]
    own_scripts = own / "bin" if sys.prefix != sys.base_prefix else None
    path = [entry for entry in kept.get("PATH", os.defpath).split(os.pathsep) if Path(entry) != own_scripts]
    if project := project_venv(root):
        kept["VIRTUAL_ENV"] = str(project)
        path.insert(0, str(project / "bin"))
        kept |= borrowed_environment(project)
    return kept | {"PATH": os.pathsep.join(path)} | _FIXED


def _passes(name: str, value: str, pass_env: Sequence[str]) -> bool:
    if _NEVER.fullmatch(name):
        return False
    if name in pass_env:
        return True
    wanted = _PASSED.fullmatch(name) or any(fnmatchcase(name, glob) for glob in pass_env)
    return bool(wanted) and not is_secret_variable(name, value)


def reading_environment(env: Mapping[str, str], root: Path, pass_env: Sequence[str] = ()) -> dict[str, str]:
    """For programs that only look at `root`: as `scrubbed_environment`, but they do not come from there."""
    scrubbed = scrubbed_environment(env, root, pass_env)
    venv = project_venv(root)
    own = [root, root.resolve(), *([lender] if venv and (lender := lender_of(venv)) else [])]
    return scrubbed | NO_NETWORK_GIT | {"PATH": path_outside(scrubbed["PATH"], own)}


def project_venv(root: Path) -> Path | None:
    """The project's own virtual environment, where it keeps one in its folder."""
    return next((root / name for name in (".venv", "venv") if (root / name / "bin/python").exists()), None)
