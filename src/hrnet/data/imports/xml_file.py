"""XML of other tools as a tree, parsed within bounds of time and memory."""

import re
from pathlib import Path
from xml.etree import ElementTree

from hrnet.errors import InputError
from hrnet.files import read_text

Element = ElementTree.Element

_LONGEST_FILE = 1 << 29
_LONGEST_TAG = re.compile(r"<[^<>]{4000000}")
_MOST_TAGS = 6_000_000


def parse_xml(file: Path, tool: str, root_tag: str) -> Element:
    """Return the root of an XML file; its declared encoding is ignored, it is read as UTF-8.

    tool: whose XML is expected, for messages. Raises InputError for files with another root, with
    entities or a DTD, and for files that are too large.
    """
    # Entities can grow without end, and the parser keeps every tag in memory.
    text = read_text(file, "annotations", _LONGEST_FILE)
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        raise InputError(f"{file}: expected XML of {tool} without entities, which may be hostile")
    if _LONGEST_TAG.search(text) or text.count("<") > _MOST_TAGS:
        raise InputError(
            f"{file}: expected XML of {tool} of at most {_MOST_TAGS:,} tags, none of them millions "
            "of letters long; export it in parts"
        )
    try:
        root = ElementTree.fromstring(text)  # a text, so its declared encoding is not looked up
    except ElementTree.ParseError as error:
        raise InputError(f"expected XML in {file}, got something else ({error})") from None
    if root.tag != root_tag:
        raise InputError(f"{file}: expected <{root_tag}> of {tool}, got <{root.tag:.60}>")
    return root
