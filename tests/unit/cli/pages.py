"""Reads pages with libxml2's HTML parser, and says what a page may not hold."""

import re

from lxml import etree, html  # type: ignore[import-untyped]  # its stubs are not installed

ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "div",
        "section",
        "article",
        "header",
        "p",
        "span",
        "b",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "code",
        "details",
        "summary",
        "a",
        "ul",
        "ol",
        "li",
        "em",
        "strong",
    ),
    *(
        "s",
        "blockquote",
        "hr",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
        "rect",
        "line",
        "text",
    ),
}
ATTRIBUTES = {
    *(
        "class",
        "id",
        "href",
        "rel",
        "open",
        "scope",
        "style",
        "charset",
        "name",
        "content",
        "http-equiv",
        "lang",
    ),
    *(
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "width",
        "height",
        "role",
        "aria-label",
        "viewbox",
        "text-anchor",
        "start",
    ),
}
STYLE = re.compile(r"width:\d+\.\d%|text-align:(left|right|center)")


def parsed(text: str) -> etree._Element:
    return html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))


def check(text: str) -> etree._Element:
    """The tree of a page in which nothing runs, nothing is fetched, and nothing leads elsewhere than to the web."""
    tree = parsed(text)
    for element in tree.iter():
        if not isinstance(element.tag, str):
            assert element.getparent() is None, element  # the mark before the page is the only comment
            continue
        assert element.tag in ALLOWED, element.tag
        assert {name.lower() for name in element.attrib} <= ATTRIBUTES, element.attrib
        assert STYLE.fullmatch(element.get("style", "width:0.0%")), element.get("style")
        assert re.match(r"https?://|mailto:|#task-\d+$", element.get("href", "https://"), re.IGNORECASE)
    style = "".join(tree.xpath("//style/text()"))
    assert "url(" not in style
    assert "@import" not in style
    assert "<" not in style
    return tree


def words(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())
