"""English words for counts of objects."""

_IRREGULAR = {"bus": "buses", "knife": "knives", "mouse": "mice", "sheep": "sheep"}


def plural(noun: str) -> str:
    """Return the plural of a class name by simple rules: `3 wine glasses`, `2 persons`.

    Names that end in neither an English letter nor a single s stay as they are.
    """
    start, _, last = noun.rpartition(" ")
    before = f"{start} " if start else ""
    if last in _IRREGULAR:
        return before + _IRREGULAR[last]
    if not ("a" <= noun[-1:].lower() <= "z") or (noun.endswith("s") and not noun.endswith("ss")):
        return noun
    if noun.endswith(("ss", "sh", "ch", "x")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
