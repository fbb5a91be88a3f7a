import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.secrets import find_secret

LETTERS = string.ascii_letters + string.digits


def drawn(count: int, alphabet: str = LETTERS) -> str:
    return "".join(random.Random(count).choices(alphabet, k=count))  # made here, so that no file holds a key


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("use AKIA" + drawn(16, "ABCDEFGH234567"), "an AWS access key id"),
        ("ABSK" + drawn(128), "a Bedrock API key"),
        ("-----BEGIN OPENSSH " + "PRIVATE KEY-----", "a private key"),
        ("the bot uses ghp_" + drawn(36), "a GitHub token"),
        ("github_pat_" + drawn(22) + "_" + drawn(59), "a GitHub token"),
        ("glpat-" + drawn(20), "a GitLab token"),
        ("xoxb-" + drawn(12, string.digits) + "-" + drawn(24), "a Slack token or webhook"),
        ("eyJ" + drawn(17) + ".eyJ" + drawn(30) + "." + drawn(43), "a JSON web token"),
        ("sk-ant-api03-" + drawn(90), "an Anthropic key"),
        ("sk-proj-" + drawn(74), "an OpenAI or similar key"),
        ("AIza" + drawn(35), "a Google key"),
        ("sk_live_" + drawn(24), "a Stripe key"),
        ("npm_" + drawn(36), "a package registry's token"),
        ("hf_" + drawn(34), "a Hugging Face token"),
        ("SG." + drawn(22) + "." + drawn(43), "a SendGrid or Twilio key"),
        ("Authorization: Bearer " + drawn(40), "an authorization header"),
        ("AccountKey=" + drawn(86) + "==", "an Azure key"),
        ("postgres://admin:hunter2secret@db.internal:5432/app", "a URL with a password"),
        ("log in with password=Sup3rSecretPw", "a password or key"),
        ("the db password is Tr0ub4dor&3", "a password or key"),
        ("DB_PASSWORD: 'Tr0ub4dor&3'", "a password or key"),
        ("api_key = " + drawn(32, string.hexdigits.lower()), "a password or key"),
        ("it is " + drawn(40), "a random string, as keys are"),
    ],
)
def test_secrets_are_named_and_not_repeated(text: str, kind: str):
    assert find_secret(text, {}) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Run the tests with `python -m pytest tests/unit -q -x`; plain pytest picks the wrong interpreter.",
        "The fault came in with commit 3f2c1a9b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a.",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 is the image's digest",
        "Set AWS_SECRET_ACCESS_KEY=test before the moto tests.",
        "password hashing lives in src/auth/password.py; the token is refreshed in token_store.py",
        "DATABASE_URL=postgres://postgres:postgres@localhost:5432/test is what make test needs.",
        "The secret is read from ${VAULT_TOKEN2}, the password from $DB_PASS2.",
        'requires token="<your token>" in .env',
        "The token: see config/auth2.yaml",
        "src/main/java/com/example/service/impl/CustomerAccountServiceImplementationFactory.java",
        "tests/unit/TestOAuth2LoginWithSAML20Provider.java",
        "uuid 123e4567-e89b-12d3-a456-426614174000 is the fixture tenant",
        "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "TOKEN_LIMIT=10000000 and tokenizer=cl100k_base; max_tokens: 64000",
        "The password was changed in v2.1.0",
    ],
)
def test_what_notes_usually_say_is_no_secret(text: str):
    assert find_secret(text, {"AWS_REGION": "us-east-1"}) is None


def test_the_environments_own_credentials_are_known_whatever_their_form():
    env = {"BILLING_TOKEN": "correct-horse-7", "EDITOR": "correct-horse-7b", "SHORT_KEY": "a1"}
    assert find_secret("use correct-horse-7 for it, a1", env) == "the value of BILLING_TOKEN"
    assert find_secret("use correct-horse for it, a1", env) is None


@given(st.text(max_size=400))
def test_any_text_gets_an_answer(text: str):
    assert find_secret(text, {}) is None or text
