"""The entries of a COCO file that an import writes, and the pictures that they are of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hrnet.data.imports.common import ImportedPicture, Source
from hrnet.data.imports.pictures import picture_size
from hrnet.errors import InputError
from hrnet.files import resolve
from hrnet.geometry import Size

Kind = Literal["keypoints", "boxes"]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What is written of a source.

    names: of the keypoints or of the classes. pictures: with their sizes; their ids count from 1.
    annotations: by these ids. notes: sentences on what was made up or is not labelled.
    """

    kind: Kind
    names: tuple[str, ...]
    pictures: Sequence[tuple[ImportedPicture, Size]]
    categories: Sequence[Mapping[str, object]]
    annotations: Sequence[Mapping[str, object]]
    notes: tuple[str, ...]

    def images(self, root: Path) -> Iterator[dict[str, object]]:
        """Yield the entries of the pictures, with paths below `root`."""
        for number, (picture, size) in enumerate(self.pictures, 1):
            yield {
                "id": number,
                "file_name": resolve(picture.path).relative_to(root).as_posix(),
                "height": size[0],
                "width": size[1],
                **picture.extra,
            }


def sized(
    source: Source, pictures: Sequence[ImportedPicture]
) -> Iterator[tuple[ImportedPicture, Size]]:
    """Yield the pictures that can be read, with their sizes (height, width).

    Raises InputError where the source gives another size of the upright picture.
    """
    for picture in pictures:
        size = picture_size(picture.path, source)
        if size is None:
            continue
        if picture.size is not None and picture.size != size:
            raise InputError(
                f"{source}: expected {picture.path} of {picture.size[1]}x{picture.size[0]} pixels, "
                f"it has {size[1]}x{size[0]}; give the pictures that were annotated with --images"
            )
        yield picture, size
