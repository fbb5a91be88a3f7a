"""A block is known by its name: stale context may change, that may not."""

import pytest

from codeflow.tools.edits import engine
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake


def apply(content: str, old: str, new: str) -> str:
    return engine.apply(content, Edit(old, new), "\n", lambda before, after: ())


BODY = "    one()\n    two()\n    three()\n    four()\n"


@pytest.mark.parametrize(
    ("head", "other", "body"),
    [
        ("[tool.ruff]", "[tool.black]", "line = 88\ntarget = 11\nfix = 1\nlast = 1\n"),
        ("  cache:", "  db:", "    image: x\n    restart: always\n    mem: 1\n    net: host\n"),
        ("def test_b():", "def test_a():", "    c = make()\n    r = c.get()\n    assert r.ok\n    last\n"),
        ("    case 'b':", "    case 'a':", "        go();\n        log();\n        ret();\n        last;\n"),
        ('  "prod": {', '  "dev": {', '    "host": "x",\n    "port": 1,\n    "debug": true\n  }\n'),
        (
            "UPDATE orders SET a = 1",
            "UPDATE users SET a = 1",
            "WHERE b = 2\nAND c = 3\nAND d = 4\nAND e = 5;\n",
        ),
        ("@app.get('/b')", "@app.get('/a')", "def f():\n    x = 1\n    y = 2\n    return x\n"),
        ("## Usage", "## Setup", "one\ntwo\nthree\nfour\n"),
        ("Usage", "Setup", "=====\ntwo\nthree\nfour\n"),
        ("if kind == 'b':", "if kind == 'a':", BODY),
        ("  b: function () {", "  a: function () {", BODY),
        ("impl Tr for B {", "impl Tr for A {", BODY),
        ("func (b *B) Run() {", "func (a *A) Run() {", BODY),
        ("void B::run() {", "void A::run() {", BODY),
        ("  get b() {", "  set b(v) {", BODY),
        ("with open(b) as f:", "with open(a) as f:", BODY),
        ("if (a && b) {", "if (a || b) {", BODY),
        ("try:", "else:", BODY),
        ("1.2 (May)", "1.1 (April)", "- one\n- two\n- three\n- four\n"),
        ("for user in users:", "for user in groups:", BODY),
    ],
)
def test_a_block_under_another_name_is_not_taken_for_the_one_that_is_meant(head: str, other: str, body: str):
    *rest, last = body.splitlines(keepends=True)
    changed = "".join([*rest[:-1], rest[-1].replace(rest[-1].strip(), "changed"), last])
    with pytest.raises(Mistake, match="The nearest lines are"):
        apply(f"x\n{other}\n{body}", f"{head}\n{body}", f"{head}\n{changed}")


@pytest.mark.parametrize(
    ("head", "now"),
    [
        ("def run(self, a):", "async def run(self, a, b) -> None:"),
        ("int run(int a) {", "static int run(int a, int b) {"),
        ("func (s *Server) Run() {", "func (t *Server) Run(ctx Context) {"),
        ("if (a or b or c) and wanted:", "if (a or b or c) and needed:"),
    ],
)
def test_a_block_that_kept_its_name_is_found_by_its_body(head: str, now: str):
    made = apply(f"x\n{now}\n{BODY}", f"{head}\n{BODY}", f"{head}\n{BODY.replace('three', 'changed')}")
    assert made == f"x\n{now}\n{BODY.replace('three', 'changed')}"


@pytest.mark.parametrize("closed", [") -> int:", "    for i in range(3):\n        print(i)"])
def test_a_line_that_heads_nothing_of_the_change_names_no_block(closed: str):
    old = "def run(\n    a,\n) -> None:\n    for i in range(5):\n        print(i)\n    one()\n    two()\n    three()\n"
    head = ") -> None:" if closed[0] == ")" else "    for i in range(5):\n        print(i)"
    file, new = old.replace(head, closed), old.replace("three", "changed")
    assert apply(file, old, new) == file.replace("three", "changed")


def test_a_blank_line_before_the_change_hides_no_name():
    file = f"class C:\n    def a():\n    {BODY.replace(chr(10), chr(10) + '    ').rstrip()}\n"
    old = file.removeprefix("class C:\n").replace("a()", "b()")
    with pytest.raises(Mistake, match="The nearest lines are"):
        apply(file, old, old.replace("        four", "\n        changed()\n\n        four"))
