((call target: (identifier) @_word (arguments . (alias) @name) (do_block) @body) @definition.module
  (#any-of? @_word "defmodule" "defprotocol"))
((call target: (identifier) @_word (arguments . (alias) @name) (do_block) @body) @definition.implementation
  (#eq? @_word "defimpl"))
((call target: (identifier) @_word (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))]) (do_block)? @body) @definition.function
  (#any-of? @_word "def" "defp" "defdelegate" "defguard" "defguardp"))
((call target: (identifier) @_word (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))]) (do_block)? @body) @definition.macro
  (#any-of? @_word "defmacro" "defmacrop"))

(call target: [(identifier) @reference (dot right: (identifier) @member)])
(alias) @reference
