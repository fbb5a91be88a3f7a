"""How a line says that it stands for others, which were left out."""

import re

COMMENT = r"(?:#|//|/\*|<!--|--|;|%|\{/\*)"
"""What a comment begins with."""
DOTS = r"(?:\.\.\.|…)"
"""What stands for something left out."""
_SPOKEN = re.compile(
    rf"\s*{COMMENT}?\s*{DOTS}\s*\(?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other|more|your)\b.*"
    rf"|\s*{COMMENT}\s*{DOTS}\s*(?:\*/|-->|\*/\}})?\s*"
    rf"|\s*{COMMENT}\s*[\[(<]\s*(?:{DOTS}\s*)?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other)\b[^\])>]*[\])>]\W*"
    rf"|\s*{COMMENT}?\s*[\[(<]\s*{DOTS}.*{DOTS}\s*[\])>]\W*"
    rf"|\s*{COMMENT}\s*\(?(?:the )?(?:rest|remain\w*|existing|unchanged|same|previous|other) .*{DOTS}\W*",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rf"\s*{COMMENT}\s*\(?(?:the )?(?:rest|remain\w*|existing|unchanged|same|previous|other) .*"
    r"(?:unchanged|same|as before|here)\W*",
    re.IGNORECASE,
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORDS = _set("""
a above all and are as attributes before below block body brevity case cases change changed changes class
classes code column columns component components config configuration constant constants content contents
continue continues css current declaration declarations definition definitions document documentation
element elements else entries entry etc everything existing fields file files for from function functions
go goes handler handlers here html identical implementation implementations import imports in intact is
it item items js json jsx keep kept left line lines list logic markup method methods module more no not
of omitted option options original other others out parameters part parts previous previously properties
props remain remainder remaining remains render rest route routes same script section sections see
settings snip snipped source stay stays styles tags test tests text that the there these this to
truncated types unaltered unchanged unmodified untouched values variables was with your
""")
"""What a line that stands for others is made of; with any other word it is a comment."""
_ALONE = _set("elided etc omitted snip snipped truncated unaltered unchanged unmodified untouched")
_WITH_A_NOUN = _set("existing remainder remaining rest")
_IN_PAIRS = _set("""
above all as before below change changed changes continue continues current else everything here
identical intact keep kept more no original other others previous previously remain remains same stay
stays
""")
_REMARK = re.compile(
    rf"\s*(?:(?P<sign>{COMMENT})(?!#)|(?=[*_]*[\[(]))(?P<text>.*?)\s*(?:-->|\*/\}}?)?\s*", re.DOTALL
)
_IN_BRACKETS = re.compile(r"[*_]*[\[(][\w\s'\u2019.…-]+[\])][*_]*")
_ENDS_IN_DOTS = re.compile(rf"\s*{DOTS}.*{DOTS}\s*")


def is_certain(line: str) -> bool:
    """Whether a line says that something was left out: by its dots, or without a word about anything else."""
    if _SPOKEN.fullmatch(line):
        return True
    return bool(_PLAIN.fullmatch(line)) and _WORDS.issuperset(_words(line))


def is_likely(line: str) -> bool:
    """Whether a comment, or a line in brackets, can be read so; it can be a remark about the code as well."""
    remark = _REMARK.fullmatch(line)
    if not remark or not (remark["sign"] or _IN_BRACKETS.fullmatch(remark["text"].strip())):
        return False
    text, words = remark["text"], _words(remark["text"])
    has_dots = bool(re.search(rf"{DOTS}(?!\w)", text))
    if not words or _ENDS_IN_DOTS.fullmatch(text):
        return has_dots
    strange = sum(1 for word in words if word not in _WORDS)
    if strange:
        return strange == 1 and bool(_PLAIN.fullmatch(line))
    pair = len(_IN_PAIRS.intersection(words)) + has_dots > 1
    return pair or not _ALONE.isdisjoint(words) or (len(words) > 1 and not _WITH_A_NOUN.isdisjoint(words))


def _words(line: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w']*", line.lower())
