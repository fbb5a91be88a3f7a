"""Pages for a browser: one file each, without scripts and without a network. Every text is escaped unless it is Html."""

import html
from collections.abc import Iterable

from codeflow.cli.render.clean import clean

_CSS = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #5b636b; --line: #d9dde1; --box: #f5f6f7;
  --mark: #2a6fb0; --good: #1a7f37; --bad: #c0262d; --warn: #8a5a00; --add: #e3f5e6; --cut: #fde8e8; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e4e7ea; --soft: #9aa3ab; --line: #343a40;
  --box: #1e2226; --mark: #63a8e8; --good: #4cc46a; --bad: #ff7b78; --warn: #e0a63a; --add: #12341d; --cut: #45191c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
a { color: var(--mark); }
pre, code { font: .85rem/1.45 ui-monospace, monospace; }
pre { margin: .5rem 0; padding: .6rem .75rem; background: var(--box); border: 1px solid var(--line); border-radius: 6px;
  overflow-x: auto; white-space: pre; overflow-wrap: normal; }
:not(pre) > code { background: var(--box); border-radius: 4px; padding: .1em .3em; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; }
.wide { overflow-x: auto; }
.number { text-align: right; white-space: nowrap; }
.soft { color: var(--soft); font-size: .9rem; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
details { margin: .35rem 0; } summary { cursor: pointer; }
@media print { details:not([open]) > summary { list-style: none; } body { max-width: none; } }
"""


class Html(str):
    """Markup that is safe to put into a page; any other text is escaped."""

    __slots__ = ()


Content = str | Iterable["Content"]
"""Texts and Html, nested as they come."""


def inner(content: Content) -> Html:
    """The content as it stands in a page: texts cleaned of what no page may hold, and escaped."""
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        return Html(html.escape(clean(content)))
    return Html("".join(map(inner, content)))


def element(name: str, *content: Content, **attributes: str | None) -> Html:
    """An element with its content. An attribute without a value stands for `""`, None leaves it out; `class_` is class."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(clean(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{inner(content)}</{name}>")


def page(mark: str, title: str, content: Content, *, style: str = "") -> str:
    """A whole document that begins with the mark; a browser that shows it runs nothing and asks nobody for anything."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="generator" content="codeflow">\n'
    )
    return (
        f'{mark}\n<html lang="en">\n<head>\n{head}{element("title", title)}\n<style>{_CSS}{style}</style>\n</head>\n'
        f"<body>\n{inner(content)}\n</body>\n</html>\n"
    )


def mark_of(kind: str) -> str:
    """The first line of pages of a kind, which tells them from other files."""
    return f"<!doctype html><!-- codeflow {kind} -->"


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    """Columns; titles that begin with `>` are right-aligned."""
    named = [*titles]
    classes = ["number" if title.startswith(">") else None for title in named]
    head = [
        element("th", title.removeprefix(">"), class_=kind, scope="col")
        for title, kind in zip(named, classes, strict=True)
    ]
    body = [
        element("tr", [element("td", cell, class_=kind) for cell, kind in zip(row, classes, strict=True)])
        for row in rows
    ]
    whole = element("table", element("thead", element("tr", head)), element("tbody", body))
    return element("div", whole, class_="wide")
