import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import UsageError
from codeflow.core.hosts import HostRule, loopback_ports, normal_host, parse_host
from codeflow.core.settings import load_settings

labels = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
names = st.lists(labels, min_size=2, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("PyPI.org", HostRule("pypi.org", (80, 443))),
        ("*.example.com", HostRule("*.example.com", (80, 443))),
        ("db.corp:5432", HostRule("db.corp", (5432,))),
        ("127.0.0.1:8000", HostRule("localhost", (8000,))),
        ("[::1]:8000", HostRule("localhost", (8000,))),
        ("[fd00:0::7]:443", HostRule("fd00::7", (443,))),
        ("10.0.0.7", HostRule("10.0.0.7", (80, 443))),
    ],
)
def test_a_host_is_read(text: str, rule: HostRule):
    assert parse_host(text) == rule


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.com", "*.", "http://pypi.org", "pypi.org/simple", "a@pypi.org", "pypi.org:0", "pypi.org:x", "a*.org",
     "bücher.example", "pypi org", "localhost", "localhost:80", "-a.org", "pypi.org:99999", "evil.com\n"],
)  # fmt: skip
def test_what_is_no_host_is_refused(text: str):
    with pytest.raises(ValueError, match=r"host|port"):
        parse_host(text)


@given(names, labels)
def test_a_domain_stands_for_what_is_below_it_and_nothing_else(domain: str, label: str):
    rule = parse_host(f"*.{domain}")
    assert rule.allows(f"{label}.{domain}", 443)
    assert not rule.allows(f"{label}.{domain}", 22)
    assert not rule.allows(domain, 443)
    assert not rule.allows(label + domain, 443)
    assert not rule.allows(f"{domain}.{label}", 443) or f"{domain}.{label}".endswith(f".{domain}")


@given(st.text(max_size=20))
def test_a_normal_form_is_its_own(text: str):
    host = normal_host(text)
    assert host is None or normal_host(host) == host


def test_ports_of_this_machine_are_those_of_its_rules():
    rules = [parse_host(text) for text in ("localhost:9000", "127.0.0.1:8000", "pypi.org:8001")]
    assert loopback_ports(rules) == (8000, 9000)


def test_a_wrong_host_in_the_settings_is_a_clear_line(tmp_path):
    with pytest.raises(UsageError, match=r"sandbox\.hosts.*'http://x' is not a host"):
        load_settings(tmp_path, env={}, flags={"sandbox": {"hosts": ["http://x"]}})


def test_an_untrusted_project_allows_no_host(tmp_path):
    (tmp_path / ".codeflow").mkdir()
    (tmp_path / ".codeflow/settings.toml").write_text('[sandbox]\nhosts = ["evil.example"]\n')
    with pytest.raises(UsageError, match=r"sandbox\.hosts may not be set"):
        load_settings(tmp_path, env={})
