"""Lines with a credential, made here so that no file holds one, and lines without."""

import base64
import random
import string

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL64 = LETTERS + "-_"


def drawn(count: int, alphabet: str = LETTERS, seed: int = 0) -> str:
    return "".join(random.Random(f"{count}{alphabet}{seed}").choices(alphabet, k=count))


def pem(kind: str = "RSA ", lines: int = 6) -> str:
    body = "\n".join(drawn(64, LETTERS + "+/", n) for n in range(lines))
    return f"-----BEGIN {kind}PRIVATE " + f"KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def _tokens() -> list[tuple[str, str]]:
    """(kind, a token that its form alone tells)."""
    jwt = f"eyJ{drawn(20)}.eyJ{drawn(60, URL64)}.{drawn(43, URL64)}"
    bare = {
        "aws-access-key": "AKIA" + drawn(16, string.ascii_uppercase + "234567"),
        "github-token": "ghp_" + drawn(36),
        "gitlab-token": "glpat-" + drawn(20, URL64),
        "slack-token": "xoxb-" + drawn(12, string.digits) + "-" + drawn(24),
        "jwt": jwt,
        "anthropic-key": "sk-ant-api03-" + drawn(93, URL64) + "AA",
        "api-key": "sk-proj-" + drawn(74, URL64),
        "google-key": "AIza" + drawn(35, URL64),
        "stripe-key": "sk_live_" + drawn(24),
        "registry-token": "npm_" + drawn(36),
        "huggingface-token": "hf_" + drawn(34, string.ascii_letters),
        "service-token": "dop_v1_" + drawn(64, HEX),
        "bedrock-key": "ABSK" + drawn(120) + "==",
        "mail-or-sms-key": "SG." + drawn(22, URL64) + "." + drawn(43, URL64),
        "telegram-token": "123456789:AA" + drawn(33, URL64),
    }
    others = [
        ("github-token", "github_pat_" + drawn(22) + "_" + drawn(59)),
        ("github-token", "ghs_" + drawn(36)),
        ("api-key", "sk-" + drawn(24) + "T3Blbk" + "FJ" + drawn(20)),
        ("registry-token", "pypi-AgEIcHlwaS5vcmc" + drawn(120, URL64)),
        ("slack-token", "https://hooks.slack.com/services/T" + drawn(8) + "/B" + drawn(8) + "/" + drawn(24)),
        ("aws-access-key", "ASIA" + drawn(16, string.ascii_uppercase + "234567")),
    ]
    return [*bare.items(), *others]


def secret_lines() -> list[tuple[str, str, str]]:
    """(kind, the line, what must not be left of it)."""
    aws, session = drawn(40, LETTERS + "/+"), drawn(400, LETTERS + "/+")
    basic = base64.b64encode(b"ada:Tr0ub4dor&3").decode()
    lines = [(kind, f"the job used {value} and went on", value) for kind, value in _tokens()]
    return [
        *lines,
        ("aws-secret-key", f"aws_secret_access_key = {aws}", aws),
        ("aws-secret-key", f'"SecretAccessKey": "{aws}",', aws),
        ("aws-secret-key", f"<SecretAccessKey>{aws}</SecretAccessKey>", aws),
        ("secret", f'  "SessionToken": "{session}"', session),
        ("secret", f"export AWS_SESSION_TOKEN={session}", session),
        ("private-key", pem(), pem()[40:100]),
        ("private-key", pem("OPENSSH "), pem("OPENSSH ")[50:110]),
        ("private-key", '"private_key": "' + pem("").replace("\n", "\\n") + '"', pem("")[40:90]),
        ("private-key", "\n".join(pem().split("\n")[:4]), pem()[40:100]),
        ("authorization", "Authorization: Bearer " + drawn(40), drawn(40)),
        ("authorization", f"curl -H 'Authorization: Basic {basic}'", basic),
        ("url-password", "postgres://admin:Hunter-of-2-lions@db.internal:5432/app", "Hunter-of-2-lions"),
        ("url-password", "git clone https://oauth2:" + drawn(20) + "@git.internal/x.git", drawn(20)),
        ("password", "DB_PASSWORD=correcthorsebattery", "correcthorsebattery"),
        ("password", "DB_PASSWORD: 'Tr0ub4dor&3'", "Tr0ub4dor&3"),
        ("password", "spring.datasource.password=Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("password", "<password>Tr0ub4dor&3</password>", "Tr0ub4dor&3"),
        ("password", "<password>Geheim4711</password>", "Geheim4711"),
        ("password", "the db password is Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("secret", 'client_secret: "' + drawn(32, HEX) + '"', drawn(32, HEX)),
        ("secret", "api_key = " + drawn(32, HEX), drawn(32, HEX)),
        ("secret", "+  apiKey: '" + drawn(32) + "',", drawn(32)),
        ("secret", "X-Api-Key: " + drawn(32), drawn(32)),
        ("secret", "_authToken=" + drawn(36), drawn(36)),
        ("secret", "    12\tSLACK_SIGNING_SECRET=" + drawn(32, HEX), drawn(32, HEX)),
        ("secret-key", "SECRET_KEY_BASE=" + drawn(128, HEX), drawn(128, HEX)),
        ("password", "docker run -e DB_PASSWORD=correcthorsebattery web", "correcthorsebattery"),
        ("secret", '{"token": "' + drawn(24) + '"}', drawn(24)),
        *_settings(),
    ]


def _settings() -> list[tuple[str, str, str]]:
    """Passwords that people think up, in files of settings."""
    basic = base64.b64encode(b"ada:Geheim4711xx").decode()
    forms = [
        *("spring.datasource.password={}", "quarkus.datasource.password={} # production", "password={}"),
        *("    12\t  MYSQL_ROOT_PASSWORD: {}", "+  password: {}", "compose.yml:7:      - db.password: {}"),
        *(
            "Server=db1;User Id=sa;Password={};",
            '"Default": "Host=h;Username=u;Password={}"',
            "pwd={};server=db1",
        ),
        *(
            "define( 'DB_PASSWORD', '{}' );",
            'props.setProperty("db.password", "{}")',
            "mysqldump --password={} app",
        ),
        *("machine api.internal login ada password {}", "machine api.internal\n  login ada\n  password {}"),
    ]
    values = ("Welcome1", "Geheim4711xx", "Acme-Prod-2025", "adminadmin99", "hunter2hunter2", "S3cr3t!pass9")
    return [
        *(("password", form.format(value), value) for form in forms for value in values),
        ("password", "  password: Passw0rd2025", "Passw0rd2025"),
        ("password", 'password = "S3cr3t!pass9"', "S3cr3t!pass9"),
        ("password", "DB_PASSWORD=my-dog-rex-2019", "my-dog-rex-2019"),
        ("password", "password: 'Kp7x12345-LmQz'", "Kp7x12345-LmQz"),
        ("authorization", '{"auths": {"hub": {"auth": "' + basic + '"}}}', basic),
        ("authorization", "curl -H 'Authorization: Token " + drawn(40, HEX) + "' https://x", drawn(40, HEX)),
        (
            "webhook",
            "https://discord.com/api/webhooks/123456789012345678/" + drawn(68, URL64),
            drawn(68, URL64),
        ),
        ("service-token", "tskey-auth-" + drawn(17) + "-" + drawn(32), drawn(32)),
    ]


HARMLESS = [
    "commit 3f2c1a9b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    '"integrity": "sha512-ZQ7mwB1qXvF0/9cJhQ3g+o5X4cB2P1xjV3y8yVtT6TzJ2Z7y1cQ9kD0rUe5m8sWfLkNpAq3Bv6Cx1Hd4Gt7Jg==",',
    "uuid 123e4567-e89b-12d3-a456-426614174000 is the fixture tenant",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "password = get_password(user, 'reset2')",
    "token = self.tokens[index2]",
    "token: str | None = None",
    "secret = os.environ['APP_SECRET2']",
    "password: ${DB_PASSWORD2}",
    "password: '{{ vault_db_password2 }}'",
    'requires token="<your token>" in .env',
    'client.login("ada", password="test1234")',
    "assert check_password('s3cret', hashed)",
    "API_KEY=your-api-key-here",
    "Client(TOKEN=settings.CLIENT_TOKEN2, SECRET=get_value(1))",
    "SECRET_KEY=changeme",
    "TOKEN_LIMIT=10000000 and tokenizer=cl100k_base; max_tokens: 64000",
    "max_tokens=64000, next_token='eyJhIjoxfQxy12'",
    "the token: see config/auth2.yaml",
    "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
    "DATABASE_URL=postgres://postgres:postgres@localhost:5432/test",
    "redis://user:password@example.com:6379/0",
    'function(e){this.token=e.token2,this.password=t.password2,r.secret=n("a1b2c3d4")}',
    "!function(){var e={apiKey:t.config.apiKey1,token:r.state.token2}}()",
    "<div class='sk-circle12-fade-delay-animation sk-fading-circle2'></div>",
    "task-runner-20250101-abcdefghijklmnop",
    "Authorization: Bearer <token>",
    "headers = {'Authorization': f'Bearer {access_token_v2}'}",
    "Basic functionality2 works; bearer of bad news",
    "from secrets import token_hex  # token_hex(16)",
    "PASSWORD_HASHERS = ['django.contrib.auth.hashers.PBKDF2PasswordHasher']",
    'password_hash = "$2b$12$KIXQb1z5m0q3JfGvN2b5aO"',
    "src/main/java/com/example/service/impl/OAuth2TokenPasswordFactory3.java",
    "bypass: feature-flag-2024; compass: north-east-99",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
    "a file that begins with -----BEGIN PRIVATE KEY----- is a key",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGx1Z2luZGV4b2ZhbGx0aGluZ3MK ada@laptop",
    "h1:0xLp1kVnzYv3fYbH0hR1kqJZ3eZzq8y8c0Qn7m1Qm2M=",
    '{name = "urllib3", hash = "sha256:1bc1f2a4b3c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f"}',
    "password: string; confirmPassword?: string;",
    "ERROR: password authentication failed for user 'ada2'",
    "const token = await fetchToken(client2);",
    "resolved: https://registry.example/lodash/-/lodash-4.17.21.tgz#679591c564c3bffaae8454cf0b3df370c3d6911c",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "  token: Uint8Array\n  password: string2\n  secret: Base64",
    "  password: newPassword1,\n  token: accessTokenV2\n  secret: sha256_of_it",
    "    login(\n        user=user1,\n        password=argument1\n    )",
    "password = response1\ntoken = matched2",
    "existingSecret: postgres-eu-2025",
    "imagePullSecrets: registry-eu-2025",
    "  token: token-value-123",
    "api_key = 'test-key-1234'",
    "password: 'my-secret-password-1'",
    'tokens.set("token", "placeholder-1")',
    "the login and a password for 2025 customers",
    '"auth": "required2fa"',
    "Authorization: Token <your-token-1>",
    "Authorization: Token authentication is used since 2019",
    "https://discord.com/api/webhooks/ID/TOKEN",
    "- [x] password reset, token refresh, secret rotation (#1234)",
]
