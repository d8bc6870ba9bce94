"""The rules for the names of a model's classes, of any task that has classes."""

import json
from collections import Counter

from hrnet.data.class_dataset import LONGEST_NAME, MOST_CLASSES
from hrnet.spec import MAX_DESCRIPTION


def check_class_names(names: tuple[str, ...], *, least: int) -> tuple[str, ...]:
    """Return the names; ValueError where they are too few or many, too long, empty or not unique.

    least: the fewest classes that make sense for the task.
    """
    if not least <= len(names) <= MOST_CLASSES:
        raise ValueError(f"expected {least} to {MOST_CLASSES} class names, got {len(names)}")
    longest = max(map(len, names))
    if longest > LONGEST_NAME or not all(map(str.strip, names)):
        raise ValueError(
            f"expected class names of 1 to {LONGEST_NAME} letters, got one of "
            f"{longest if longest > LONGEST_NAME else 0}"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"class names must differ, got {twice[0]:.60} more than once")
    if any("\ud800" <= letter <= "\udfff" for name in names for letter in name):
        raise ValueError("class names must be text that can be written; rename them")
    # The rest of a description takes less than half of what is read.
    if len(json.dumps(names, ensure_ascii=False)) > MAX_DESCRIPTION // 2:
        raise ValueError(f"class names take more than {MAX_DESCRIPTION // 2} characters in all")
    return names
