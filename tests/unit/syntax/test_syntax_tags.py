import pytest

from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import Unparsable
from codeflow.syntax.tags import Definition, outline, tags

SOURCES = {
    "python": (
        "a.py",
        (
            "class Store(Base):\n    @cached\n    async def load(\n        self, key, *,\n        strict=False,\n    ) -> int:  # why\n"
            "        return fetch(key).rows()\n\nLIMIT = 3\n"
        ),
        [
            "1-7 class Store: class Store(Base)",
            "3-7 function Store.load: async def load(self, key, *, strict=False) -> int",
            "9-9 constant LIMIT: LIMIT = 3",
        ],
        "Base cached int fetch .rows",
    ),
    "javascript": (
        "a.mjs",
        "class A extends B { #p() {}\n go = (x) => { h(x) } }\nmodule.exports.run = function (a) {}\nconst f = async (a) => a.b()\n",
        [
            "1-2 class A: class A extends B",
            "1-1 method A.#p: #p()",
            "2-2 method A.go: go = (x)",
            "3-3 method module.exports.run: module.exports.run = function (a)",
            "4-4 function f: const f = async (a)",
        ],
        "B h .b",
    ),
    "typescript": (
        "a.ts",
        (
            "export default class Box<T> implements I { run(x: Foo): void {} }\ninterface I { m(): void }\nenum E { A }\ntype U = X | Y;\n"
            "namespace N { export function z() {} }\n"
        ),
        [
            "1-1 class Box: class Box<T> implements I",
            "1-1 method Box.run: run(x: Foo): void",
            "2-2 interface I: interface I",
            "2-2 method I.m: m(): void",
            "3-3 enum E: enum E",
            "4-4 type U: type U = X | Y",
            "5-5 namespace N: namespace N",
            "5-5 function N.z: function z()",
        ],
        "I Foo X Y",
    ),
    "tsx": ("a.tsx", "const A = () => <Panel/>\n", ["1-1 function A: const A = ()"], "Panel"),
    "go": (
        "a.go",
        "package m\ntype S struct {\n\tx Y\n}\nfunc (s *S) Start(a int) error { return q.Run() }\nfunc (l List[T]) Len() int { return 0 }\n",
        [
            "2-4 struct S: S struct",
            "5-5 method S.Start: func (s *S) Start(a int) error",
            "6-6 method List.Len: func (l List[T]) Len() int",
        ],
        "Y S int .Run",
    ),
    "rust": (
        "a.rs",
        "pub struct S { a: T }\nimpl<T> Foo<T> for Bar<T> { fn go(&self) -> u8 { x.y() } }\nmod m { pub fn q() {} }\n",
        [
            "1-1 struct S: pub struct S",
            "2-2 function Bar.go: fn go(&self) -> u8",
            "3-3 module m: mod m",
            "3-3 function m.q: pub fn q()",
        ],
        "T T Foo T T .y",
    ),
    "java": (
        "A.java",
        "public final class A extends B {\n  @Override\n  public int f(int a) { return g(); }\n  enum K { X }\n}\n",
        [
            "1-5 class A: public final class A extends B",
            "2-3 method A.f: @Override public int f(int a)",
            "4-4 enum A.K: enum K",
        ],
        "B Override .g",
    ),
    "c": (
        "a.c",
        "struct S { int x; };\n#define M(x) x\nint proto(int);\nstatic char **f(T a) { return g(a); }\n",
        [
            "1-1 struct S: struct S",
            "2-2 macro M: #define M(x) x",
            "3-3 declaration proto: int proto(int)",
            "4-4 function f: static char **f(T a)",
        ],
        "T g",
    ),
    "c++": (
        "a.hpp",
        "namespace n { class C : public B { ~C() {} void m() const; }; }\nvoid n::C::m() const { foo(); }\n",
        [
            "1-1 namespace n: namespace n",
            "1-1 class n.C: class C : public B",
            "1-1 method n.C.~C: ~C()",
            "1-1 declaration n.C.m: void m() const",
            "2-2 method n.C.m: void n::C::m() const",
        ],
        "B foo",
    ),
    "c#": (
        "a.cs",
        "namespace N { public class A : B { public int P { get; set; } void M(int x) { Foo.Bar(); } } }\n",
        [
            "1-1 namespace N: namespace N",
            "1-1 class N.A: public class A : B",
            "1-1 property N.A.P: public int P { get; set; }",
            "1-1 method N.A.M: void M(int x)",
        ],
        "B .Bar",
    ),
    "ruby": (
        "a.rb",
        "module M\n  class A < B\n    def f(a, b)\n      go(a)\n    end\n    def self.g\n    end\n  end\nend\n",
        [
            "1-9 module M: module M",
            "2-8 class M.A: class A < B",
            "3-5 method M.A.f: def f(a, b)",
            "6-7 method M.A.g: def self.g",
        ],
        "B .go",
    ),
    "php": (
        "a.php",
        "<?php\nclass C extends D { public function m(int $a): void { foo(); $a->bar(); } }\n",
        ["2-2 class C: class C extends D", "2-2 method C.m: public function m(int $a): void"],
        "D foo .bar",
    ),
    "bash": ("deploy", "#!/usr/bin/env bash\nrun() { build; }\n", ["2-2 function run: run()"], "build"),
}


def shown(item: Definition) -> str:
    return f"{item.line}-{item.end_line} {item.kind} {item.qualified}: {item.signature}"


@pytest.mark.parametrize("name", SOURCES)
def test_each_language_has_definitions_and_references(name):
    path, text, definitions, references = SOURCES[name]
    language = language_of(path, text)
    assert language is not None
    assert language.name == name
    found = tags(path, text)
    assert [shown(item) for item in found.definitions] == definitions
    assert " ".join("." * item.member + item.name for item in found.references) == references


def test_locals_are_qualified_by_their_function():
    found = outline("a.py", "def f():\n    def g(): ...\ndef h(): ...\n")
    assert [item.qualified for item in found] == ["f", "f.g", "h"]


def test_rust_s_impl_stands_in_outlines_around_its_functions_and_defines_no_name():
    source = (
        "trait T { fn f(&self); }\nstruct S;\nimpl S { fn new() {} }\nimpl<X> T for S { fn f(&self) {} }\n"
    )
    found = outline("a.rs", source)
    assert [f"{item.depth} {item.kind} {item.signature}" for item in found] == [
        "0 trait trait T",
        "1 function fn f(&self)",
        "0 struct struct S",
        "0 impl impl S",
        "1 function fn new()",
        "0 impl impl<X> T for S",
        "1 function fn f(&self)",
    ]
    assert "impl" not in {item.kind for item in tags("a.rs", source).definitions}


def test_destructors_and_conversions_declared_in_a_class_are_outlined():
    source = "class V {\n  ~V();\n  virtual ~V() = 0;\n  operator bool() const;\n  operator int() { return 1; }\n};\n"
    assert [item.signature for item in outline("a.hpp", source)] == [
        "class V",
        "~V()",
        "virtual ~V() = 0",
        "operator bool() const",
        "operator int()",
    ]


@pytest.mark.parametrize(
    ("path", "source", "kind", "signature"),
    [
        ("a.tsx", "export default function () { return <p/> }", "function", "export default function ()"),
        ("a.js", "export default async () => 1", "function", "export default async ()"),
        ("a.mjs", "export default function* () {}", "function", "export default function* ()"),
        ("a.ts", "export default class extends B {}", "class", "export default class extends B"),
    ],
)
def test_a_default_export_without_a_name_is_called_default(path: str, source: str, kind: str, signature: str):
    (found,) = outline(path, source)
    assert (found.kind, found.qualified, found.signature) == (kind, "default", signature)


def test_what_follows_a_syntax_error_is_still_found():
    found = outline("a.py", "def f(:\n    pass\n\n\nclass Rest:\n    pass\n")
    assert "Rest" in {item.name for item in found}


@pytest.mark.parametrize("path", ["notes.txt", "LICENSE", "a.py.orig", ""])
def test_an_unknown_language_has_no_tags(path):
    assert language_of(path) is None
    assert outline(path, "def f(): ...\n") == ()


def test_a_long_signature_is_cut():
    text = f"def f({', '.join(f'argument_{n}' for n in range(100))}): ...\n"
    signature = outline("a.py", text)[0].signature
    assert len(signature) == 160
    assert signature.endswith("…")


HOSTILE = {
    "unclosed": "(" * 300_000,
    "braces": "{" * 300_000,
    "calls": "f(" * 150_000 + ")" * 150_000,
    "operators": "x = " + "-" * 300_000 + "1",
    "null": "\0" * 100_000,
    "surrogate": "def f(): '\udcff'\n",
    "too large": "x = 1\n" * 400_000,
}


@pytest.mark.parametrize("path", ["a.py", "a.ts", "a.cc", "a.sh"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_survived(path, name):
    assert len(tags(path, HOSTILE[name]).definitions) <= 1


@pytest.mark.parametrize("name", ["unclosed", "too large"])
def test_a_text_that_cannot_be_parsed_is_not_one_without_definitions(name):
    with pytest.raises(Unparsable):
        outline("a.py", HOSTILE[name])
