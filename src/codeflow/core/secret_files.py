"""Which files are there to hold credentials: by their names, and where names leave a doubt by what is in them."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath

_TEMPLATE = re.compile(r"(^|[._-])(example|sample|template|tmpl|dist)([._-]|$)")
_NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\.env(\..+)?|.+\.env|\.envrc"), "an environment file"),
    (
        re.compile(r"id_(rsa|dsa|ecdsa|ed25519)(_sk)?|.+\.(p12|pfx|key|ppk|jks|keystore|kdbx)"),
        "a private key",
    ),
    (
        re.compile(r"[._]netrc|\.pgpass|\.my\.cnf|\.git-credentials|\.htpasswd|\.dockercfg"),
        "a file of passwords",
    ),
    (re.compile(r"kubeconfig|.+\.kubeconfig"), "a kubeconfig"),
    (
        re.compile(
            r"application_default_credentials\.json|(client_secret|service[-_]?account).*\.json|msal_token_cache\..+"
            r"|accesstokens\.json"
        ),
        "a cloud's credentials",
    ),
)
_PLACES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(^|/)\.aws/(credentials|sso/cache/.+|cli/cache/.+)$"), "a cloud's credentials"),
    (
        re.compile(r"(^|/)(gcloud/(credentials|access_tokens)\.db|gcloud/legacy_credentials/.+)$"),
        "a cloud's credentials",
    ),
    (re.compile(r"(^|/)\.kube/config$"), "a kubeconfig"),
    (re.compile(r"(^|/)\.docker/config\.json$"), "a file of passwords"),
)
_BY_CONTENT: tuple[tuple[re.Pattern[str], re.Pattern[bytes], str], ...] = (
    (
        re.compile(r".+\.(pem|asc|crt|cer)"),
        re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
        "a private key",
    ),
    (
        re.compile(
            r"\.npmrc|\.pypirc|\.yarnrc(\.yml)?|pip\.conf|\.terraformrc|auth\.json|credentials(\.toml|\.json)?"
        ),
        re.compile(rb"_auth|token|password|secret|private_key|://[^/\s:]*:[^/\s@]+@", re.IGNORECASE),
        "a file with a token",
    ),
)


def holds_secrets(path: str, content: bytes | None = None) -> str | None:
    """What kind of credentials a file is there to hold, such as "a private key"; None for any other file.

    `path` is relative to the workspace, or absolute. Without `content` a doubt counts: whether a .pem is a key or a
    certificate. Templates such as .env.example hold none.
    """
    place = PurePosixPath(path).as_posix().lower()
    name = place.rpartition("/")[2]
    if _TEMPLATE.search(name):
        return None
    for pattern, kind in _NAMES:
        if pattern.fullmatch(name):
            return kind
    for pattern, kind in _PLACES:
        if pattern.search(place):
            return kind
    for names, inside, kind in _BY_CONTENT:
        if names.fullmatch(name) and (content is None or inside.search(content)):
            return kind
    return None


def matches_any(path: str, globs: Sequence[str]) -> bool:
    """Whether one of a user's globs names the path or its last part."""
    return any(fnmatch(path, glob) or fnmatch(path.rpartition("/")[2], glob) for glob in globs)
