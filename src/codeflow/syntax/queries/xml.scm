(element [(STag (Name) @name) (EmptyElemTag (Name) @name)]) @definition.element
