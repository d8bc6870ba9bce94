"""The places of the pictures that a COCO file names."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from hrnet.data.coco_file import CocoImage
from hrnet.files import is_folder, resolve


def image_paths(folder: Path, images: Sequence[CocoImage]) -> dict[int, Path]:
    """Return where each picture is, by its id.

    File names are relative to `folder`. Where all of them begin with the end of the folder's own
    path, as images/1.jpg in a folder images that holds none of that name, they are relative to
    the folder above.
    """
    # The folder's own name may be part of every file name: try its last one, two, ... parts.
    names = {one.id: one.file_name for one in images if one.id is not None and one.file_name}
    parents = [PurePosixPath(name).parent.parts for name in names.values()]
    own = resolve(folder).parts
    for depth in range(1, min(map(len, parents), default=0) + 1):
        end = own[-depth:]
        if all(parts[:depth] == end for parts in parents) and not is_folder(folder / end[0]):
            folder = Path(*own[:-depth])
            break
    return {number: folder / name for number, name in names.items()}
