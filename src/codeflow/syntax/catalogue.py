"""The languages that have a tree-sitter grammar: which package holds it, and which files are in the language."""

from codeflow.syntax.language import PACK, Language

_OWN_QUERIES = (
    Language("python", "tree_sitter_python", (".py", ".pyi", ".pyw"), ("python",)),
    Language(
        "javascript",
        "tree_sitter_javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        ("ecmascript", "javascript", "jsx"),
    ),
    Language(
        "typescript",
        "tree_sitter_typescript",
        (".ts", ".mts", ".cts"),
        ("ecmascript", "typescript"),
        "language_typescript",
    ),
    Language("tsx", "tree_sitter_typescript", (".tsx",), ("ecmascript", "typescript", "jsx"), "language_tsx"),
    Language("go", "tree_sitter_go", (".go",), ("go",)),
    Language("rust", "tree_sitter_rust", (".rs",), ("rust",)),
    Language("java", "tree_sitter_java", (".java",), ("java",)),
    Language("c", "tree_sitter_c", (".c",), ("c",), errors="macros"),
    Language(
        "c++",
        "tree_sitter_cpp",
        (".cc", ".cpp", ".cxx", ".c++", ".h", ".hh", ".hpp", ".hxx"),  # most C headers are C++ too
        ("c", "cpp"),
        errors="macros",
    ),
    Language("c#", "tree_sitter_c_sharp", (".cs",), ("c_sharp",)),
    Language("ruby", "tree_sitter_ruby", (".rb", ".rake", ".gemspec"), ("ruby",)),
    Language("php", "tree_sitter_php", (".php",), ("php",), "language_php"),
    Language("bash", "tree_sitter_bash", (".sh", ".bash"), ("bash",)),
    Language("lua", "tree_sitter_lua", (".lua",), ("lua",)),
    Language("elixir", "tree_sitter_elixir", (".ex", ".exs"), ("elixir",)),
    Language("dart", "tree_sitter_dart", (".dart",), ("dart",)),
    Language("hcl", "tree_sitter_hcl", (".tf", ".hcl", ".tfvars"), ("hcl",)),
    Language("kotlin", "tree_sitter_kotlin", (".kt", ".kts"), ("kotlin",), errors="unsure"),
    Language("swift", "tree_sitter_swift", (".swift",), ("swift",), errors="unsure"),
    Language("scala", "tree_sitter_scala", (".scala", ".sbt"), ("scala",), errors="unsure"),
    Language("haskell", "tree_sitter_haskell", (".hs",), ("haskell",), errors="unsure"),
    Language("julia", "tree_sitter_julia", (".jl",), ("julia",), errors="unsure"),
    Language("perl", "tree_sitter_perl", (".pl", ".pm"), ("perl",), errors="unsure"),
    Language("powershell", "tree_sitter_powershell", (".ps1", ".psm1"), ("powershell",), errors="unsure"),
    Language("zig", "tree_sitter_zig", (".zig",), ("zig",), errors="unsure"),
    Language("r", PACK, (".r",), ("r",), "r", errors="unsure"),
)
_DOCUMENTS = (
    ("sql", "tree_sitter_sql", (".sql",), "language"),
    ("html", "tree_sitter_html", (".html", ".htm"), "language"),
    ("css", "tree_sitter_css", (".css",), "language"),
    ("yaml", "tree_sitter_yaml", (".yaml", ".yml"), "language"),
    ("toml", "tree_sitter_toml", (".toml",), "language"),
    ("json", "tree_sitter_json", (".json", ".jsonc", ".webmanifest"), "language"),
    (
        "xml",
        "tree_sitter_xml",
        (".xml", ".svg", ".xsd", ".xsl", ".csproj", ".props", ".targets"),
        "language_xml",
    ),
    ("markdown", "tree_sitter_markdown", (".md", ".markdown"), "language"),
    ("dockerfile", "tree_sitter_containerfile", (".dockerfile", ".containerfile"), "language"),
    ("make", "tree_sitter_make", (".mk",), "language"),
)
_IN_THE_PACK = {
    "ada": (".adb", ".ads"),
    "cmake": (".cmake",),
    "cuda": (".cu", ".cuh"),
    "d": (".d",),
    "elm": (".elm",),
    "erlang": (".erl", ".hrl"),
    "fennel": (".fnl",),
    "fish": (".fish",),
    "fortran": (".f90", ".f95", ".f03", ".f08"),
    "fsharp": (".fs", ".fsx"),
    "gdscript": (".gd",),
    "gleam": (".gleam",),
    "glsl": (".glsl", ".vert", ".frag"),
    "graphql": (".graphql", ".gql"),
    "haxe": (".hx",),
    "hlsl": (".hlsl",),
    "nim": (".nim",),
    "objc": (".m", ".mm"),
    "ocaml": (".ml",),
    "ocaml_interface": (".mli",),
    "pony": (".pony",),
    "proto": (".proto",),
    "purescript": (".purs",),
    "solidity": (".sol",),
    "starlark": (".bzl", ".star"),
    "thrift": (".thrift",),
    "vim": (".vim",),
    "wgsl": (".wgsl",),
}

LANGUAGES: tuple[Language, ...] = (
    *_OWN_QUERIES,
    *(
        Language(name, package, endings, (name,), function, errors="unsure", is_code=False)
        for name, package, endings, function in _DOCUMENTS
    ),
    *(Language(name, PACK, endings, (), name, errors="unsure") for name, endings in _IN_THE_PACK.items()),
)
"""In the pack, all but R have no query of ours: their outlines are generic."""

FILE_NAMES = {
    "rakefile": "ruby",
    "gemfile": "ruby",
    ".bashrc": "bash",
    ".profile": "bash",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "make",
    "gnumakefile": "make",
    "cmakelists.txt": "cmake",
    "build.bazel": "starlark",
}
INTERPRETERS = {
    "node": "javascript",
    "python": "python",
    "ruby": "ruby",
    "php": "php",
    "perl": "perl",
    "lua": "lua",
    "julia": "julia",
    "pwsh": "powershell",
    "elixir": "elixir",
    "rscript": "r",
}
