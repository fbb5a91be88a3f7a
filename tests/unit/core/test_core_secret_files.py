import pytest

from codeflow.core.secret_files import holds_secrets, matches_any

KEY = b"-----BEGIN PRIVATE " + b"KEY-----\nx"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((name, "an environment file") for name in (".env", "app/.env.local", ".ENV", "prod.env", ".envrc")),
        *((name, "a private key") for name in ("id_rsa", ".ssh/id_ed25519", "server.key", "a.P12", "b.pfx")),
        *((name, "a file of passwords") for name in (".netrc", "_netrc", ".pgpass", ".git-credentials")),
        *(
            (name, "a cloud's credentials")
            for name in (".aws/credentials", "x/application_default_credentials.json")
        ),
        *((name, "a kubeconfig") for name in ("kubeconfig", ".kube/config", "dev.kubeconfig")),
    ],
)
def test_files_of_credentials_are_known_by_name(path: str, kind: str):
    assert holds_secrets(path) == kind
    assert holds_secrets(path, b"") == kind


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        ".env.sample",
        "env.template",
        ".env.dist",
        "id_rsa.pub",
        "environment.py",
        "keys.py",
        "src/env.ts",
    ],
)
def test_templates_and_code_hold_none(path: str):
    assert holds_secrets(path) is None


def test_where_the_name_leaves_a_doubt_the_content_decides():
    assert holds_secrets("ca.pem", b"-----BEGIN CERTIFICATE-----") is None
    assert holds_secrets("ca.pem", KEY) == holds_secrets("ca.pem") == "a private key"
    assert holds_secrets(".npmrc", b"registry=https://r.example/") is None
    assert holds_secrets(".npmrc", b"//r.example/:_authToken=x") == "a file with a token"


def test_a_users_globs_name_paths_or_last_parts():
    assert matches_any("a/.env.test", [".env.test"])
    assert matches_any("a/.env", ["a/*"])
    assert not matches_any("a/.env", [".env.test"])
