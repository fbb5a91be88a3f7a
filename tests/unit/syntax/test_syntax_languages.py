"""Languages beside those of `test_syntax_tags`: what their outlines show, and how little is claimed of the others."""

import pytest

from codeflow.syntax.catalogue import LANGUAGES
from codeflow.syntax.languages import is_code, language_of
from codeflow.syntax.tags import outline, tags

OUTLINES = {
    "a.kt": (
        "interface Shape {\n    fun area(): Double\n}\nclass Square(val s: Double) : Shape {\n    val q = 1\n    override fun area() = help(s)\n}\nobject Main {\n    fun go() { Square(1.0).area() }\n}\nfun top() = 1\n",
        "interface Shape | .method area | class Square | .property q | .method area | object Main | .method go | function top",
        "Double Shape help .area Square",
    ),
    "a.swift": (
        "protocol P { func f() }\nclass C: P {\n  let x = 1\n  init(a: Int) {}\n  func f() { g(1) }\n}\nstruct S {}\nextension C { func h() { self.f() } }\nfunc g(_ a: Int) {}\n",
        "protocol P | .method f | class C | .property x | .constructor init | .method f | struct S | extension C | .method h | function g",
        "P Int g .f",
    ),
    "a.scala": (
        "trait T { def f(x: Int): Int }\nclass C extends T {\n  def f(x: Int) = g(x)\n}\nobject O { val v = new C().f(2) }\n",
        "trait T | .method f | class C | .method f | object O | .value v",
        "Int T g C .f",
    ),
    "a.lua": (
        "local M = {}\nfunction M.foo(a) return bar(a) end\nfunction M:go() return self:foo() end\nlocal function bar() end\n",
        ".function foo | .method go | function bar",
        "bar .foo",
    ),
    "a.ex": (
        "defmodule Shop do\n  def total(a) when a > 0, do: tax(a)\n  defp tax(a) do\n    Enum.sum(a)\n  end\n  defmacro log(x), do: x\nend\n",
        "module Shop | .function total | .function tax | .macro log",
        "tax .sum Enum",
    ),
    "a.hs": (
        "data Shape = Circle Double\nclass Area a where\n  area :: a -> Double\ntop :: Int -> Int\ntop x = helper x\n",
        "type Shape | class Area | .method area | signature top | function top",
        "helper Int",
    ),
    "a.jl": (
        "module M\nstruct P{T} <: Q\n  x::T\nend\nf(x) = g(x)\nfunction g(x)\n  h(x)\nend\nmacro m(e) e end\nend\n",
        "module M | .struct P | .function f | .function g | .macro m",
        "g h T",
    ),
    "a.pl": (
        "package Shop;\nsub new { bless {} }\nsub go { helper(1); $s->new; }\n",
        "package Shop | function new | function go",
        "helper .new",
    ),
    "a.zig": (
        'const S = struct {\n  pub fn init() S { return helper(); }\n};\nfn helper() S {}\ntest "t" {}\n',
        "type S | .method init | function helper | test t",
        "helper",
    ),
    "a.dart": (
        "class A extends B {\n  A(this.x);\n  int get y => x;\n  int f(int a) {\n    return g(a);\n  }\n}\nint g(int a) => a;\n",
        "class A | .constructor A | .getter y | .method f | function g",
        "B g int",
    ),
    "a.ps1": (
        "function Get-Foo {\n  Get-Bar 1\n}\nclass C {\n  [int] M() { return 1 }\n}\n",
        "function Get-Foo | class C | .method M",
        "Get-Bar",
    ),
    "main.tf": (
        'variable "x" {}\nresource "aws_vpc" "main" {\n  cidr = var.x\n  tags {}\n}\n',
        "block x | block main | .block tags",
        "var .x",
    ),
    "a.sql": (
        "CREATE TABLE users (id INT);\nCREATE VIEW v AS SELECT * FROM users;\nCREATE INDEX i ON users (id);\n",
        "table users | view v | index i",
        "",
    ),
    "a.html": (
        '<h1>Hi</h1>\n<div id="main"><p id="inner">x</p></div>\n',
        "heading Hi | element main | .element inner",
        "",
    ),
    "a.css": (
        ".btn, a:hover { color: red }\n@media print { .c { x: y } }\n",
        "rule .btn, a:hover | media print | .rule .c",
        "",
    ),
    "a.yaml": (
        "jobs:\n  build:\n    - run: x\nname: y\n",
        "key jobs | .key build | ..key run | key name",
        "",
    ),
    "a.toml": ("top = 1\n[tool.ruff]\nline = 1\n", "key top | table tool.ruff | .key line", ""),
    "a.json": ('{"a": {"b.c": 1}, "d": [{"e": 2}]}', "key a | .key b.c | key d | .key e", ""),
    "a.xml": ('<root><a x="1"/></root>', "element root | .element a", ""),
    "README.md": (
        "# Version 1.2\n\ntext\n\n## Use\n\n```\n# no\n```\n",
        "heading Version 1.2 | .heading Use",
        "",
    ),
    "Dockerfile": (
        "FROM python:3.11 AS base\nARG X=1\nCMD run\n",
        "stage python:3.11 | argument X | command run",
        "",
    ),
    "Makefile": ("CC := gcc\nall: build\n\techo\n.PHONY: all\n", "variable CC | target all", ""),
    "a.r": (
        "f <- function(x) {\n  g(x)\n}\nh = function() dplyr::mutate(1)\n",
        "function f | function h",
        "g .mutate",
    ),
}


@pytest.mark.parametrize("path", OUTLINES)
def test_an_outline_names_what_a_file_defines(path):
    text, expected, references = OUTLINES[path]
    found = [f"{'.' * item.depth}{item.kind} {item.name}" for item in outline(path, text)]
    assert " | ".join(found) == expected
    used = {"." * use.member + use.name for use in tags(path, text).references}
    assert set(references.split()) <= used


GENERIC = {
    "a.ml": ("module M = struct\n  let f x = x\nend\nlet g y = y\n", {"M", "f", "g"}),
    "a.proto": (
        "message Person {\n  string name = 1;\n}\nservice S {\n  rpc Get (A) returns (B);\n}\n",
        {"Person", "S", "Get"},
    ),
    "a.sol": ("contract A {\n  function f() public {}\n  struct S { uint a; }\n}\n", {"A", "f", "S"}),
    "a.f90": ("module m\ncontains\nsubroutine s()\nend subroutine s\nend module m\n", {"m", "s"}),
    "a.erl": ("-module(a).\nf(X) -> g(X).\n", {"f"}),
}


@pytest.mark.parametrize("path", GENERIC)
def test_a_language_without_a_query_has_a_generic_outline(path):
    text, names = GENERIC[path]
    language = language_of(path)
    assert language
    assert not language.queries
    assert {item.name for item in outline(path, text)} == names


def test_every_grammar_loads_and_every_query_fits_its_grammar():
    for language in LANGUAGES:
        assert language.grammar().abi_version >= 13, language.name
        language.query()


def test_no_two_languages_claim_one_ending():
    endings = [ending for language in LANGUAGES for ending in language.endings]
    assert len(endings) == len(set(endings))


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("web.Dockerfile", "", "dockerfile"),
        ("Dockerfile.test", "", "dockerfile"),
        ("src/CMakeLists.txt", "", "cmake"),
        ("run", "#!/usr/bin/env -S perl -w\n", "perl"),
        ("run", "#!/usr/bin/lua5.3\n", "lua"),
        ("run", "#!/usr/bin/env Rscript\n", "r"),
        ("run", "#!/bin/sh\n", "bash"),
    ],
)
def test_a_name_or_the_first_line_tells_the_language(path, text, name):
    language = language_of(path, text)
    assert language
    assert language.name == name


def test_the_map_of_a_repository_takes_code_and_no_data():
    assert [path for path in ("a.py", "a.kt", "a.json", "README.md", "a.sol", "a.txt") if is_code(path)] == [
        "a.py",
        "a.kt",
    ]
