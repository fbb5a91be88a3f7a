import base64
import json
import sys
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.secret_lines import HARMLESS, drawn, pem, secret_lines

from codeflow.core.redaction import PLACEHOLDER, Redactor

KNOWN = Redactor({})
SECRETS = secret_lines()


@pytest.mark.parametrize(("kind", "line", "secret"), SECRETS, ids=[kind for kind, _, _ in SECRETS])
def test_credentials_are_taken_out_of_their_line(kind: str, line: str, secret: str):
    shown = KNOWN.redact(line)
    assert secret not in shown
    assert f"[REDACTED:{kind}]" in shown


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_looks_random_stays(line: str):
    assert KNOWN.redact(line) == line


def test_recall_and_false_alarms_in_figures(capsys):
    text = "\n".join([*HARMLESS, *(line for _, line, _ in SECRETS)] * 100)
    began = time.perf_counter()
    KNOWN.redact(text)
    ms = 1e9 * (time.perf_counter() - began) / len(text)
    missed = [line for _, line, secret in SECRETS if secret in KNOWN.redact(line)]
    false = [line for line in HARMLESS if KNOWN.redact(line) != line]
    with capsys.disabled():
        sys.stdout.write(
            f"\nredactor: {len(SECRETS) - len(missed)} of {len(SECRETS)} found, "
            f"{len(false)} of {len(HARMLESS)} false, {ms:.0f} ms a MB of these lines\n"
        )
    assert (missed, false) == ([], [])


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "token=",
            "://a:b",
            "://a:b@",
            "eyJ-eyJ-",
            "eyJaaaaaaaaaaaa.",
            "-----BEGIN RSA PRIVATE KEY-----\n",
            "ghp_",
        ),
        *(
            "password='",
            "bearer ",
            "_github_pat_",
            "token = \t",
            "sk-a-",
            "SG.a-",
            "<password>",
            "&sig=%",
            "a",
            "\n",
        ),
        *(
            "secret: str = ",
            "AKIA",
            "passwordpassword_token",
            "basic AAAA",
            "hooks.slack.com/services/",
            "\u0130token=",
        ),
        *(
            "login a password ",
            '"auth":"AAAA',
            ";password=word1",
            "authorization: token ",
            " --password=Welcome1",
            "- a.password: Welcome1 ",
        ),
    ],
)
def test_hostile_megabytes_come_to_an_end(piece: str):
    text = piece * (1_000_000 // len(piece))
    KNOWN.redact(text)  # the suite's time limit is the assertion: quadratic work would take hours


def test_the_values_of_this_process_are_known_in_every_form():
    value = 'p/ss w"rd+7'
    known = Redactor({"DEPLOY_TOKEN": value, "EDITOR": "not a secret at all"})
    for pad in ("", "x", "xy", "user:"):
        encoded = base64.b64encode((pad + value + pad).encode()).decode()
        assert known.redact(encoded) != encoded
    for form in (
        value,
        json.dumps(value),
        urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value),
    ):
        assert "[REDACTED:environment]" in known.redact(f"it is {form}.")
    assert known.redact("not a secret at all") == "not a secret at all"


def test_paths_words_and_short_values_are_no_secrets_of_the_process():
    env = {
        "SSH_AUTH_SOCK": "/tmp/agent.1",
        "API_KEY": "short",
        "AWS_REGION": "eu-central-1",
        "AUTH": "required",
    }
    text = " ".join(env.values())
    assert Redactor(env).redact(text) == text


def test_the_lines_of_a_file_keep_their_numbers():
    lines = ["a", *pem().split("\n"), "b"]
    shown = KNOWN.redact_lines(lines)
    assert len(shown) == len(lines)
    assert (shown[0], set(shown[1:-1]), shown[-1]) == ("a", {"[REDACTED:private-key]"}, "b")


pieces = st.one_of(
    st.text(max_size=12),
    st.sampled_from([line for _, line, _ in SECRETS]),
    st.sampled_from(HARMLESS),
    st.sampled_from(
        ["correct-horse-7", "[REDACTED:secret]", "token=", "password: ", "://u:", "@h", '"', "\n", "Bearer "]
    ),
)
texts = st.lists(pieces, max_size=8).map("".join)


@given(texts)
def test_redacting_twice_is_redacting_once(text: str):
    known = Redactor({"MY_TOKEN": "correct-horse-7"})
    once = known.redact(text)
    assert known.redact(once) == once


@given(texts, texts, st.text(min_size=8, max_size=30))
def test_a_value_of_the_process_is_never_left(before: str, after: str, value: str):
    known = Redactor({"MY_TOKEN": value})
    shown = known.redact(before + value + after)
    if value.lower() not in {"disabled", "required", "optional", "password", "changeme", "readonly"}:
        assert value not in PLACEHOLDER.sub("", shown) or value in "[REDACTED:"


@given(texts)
def test_all_else_stays_as_it_is(text: str):
    rest = iter([text])
    whole = next(rest)
    for part in PLACEHOLDER.split(KNOWN.redact(whole)):
        assert part in whole
        whole = whole[whole.index(part) + len(part) :]


@given(texts)
def test_lines_are_as_many_as_before(text: str):
    lines = text.split("\n")
    assert len(KNOWN.redact_lines(lines)) == len(lines)


def test_a_secret_beside_a_placeholder_is_still_found():
    token = "ghp_" + drawn(36)
    assert KNOWN.redact(f"[REDACTED:jwt] {token}") == "[REDACTED:jwt] [REDACTED:github-token]"


def test_a_key_is_taken_out_whole_with_the_placeholders_in_it():
    lines = pem().split("\n")
    lines[2] = "[REDACTED:environment]"
    assert KNOWN.redact("\n".join(lines)) == "[REDACTED:private-key]"
