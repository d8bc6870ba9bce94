"""SLEAP labels: .slp files, and .pkg.slp files that hold their pictures.

Both are HDF5. Source of the layout: the documentation of sleap-io, "SLP format". Only what people
labelled is read, no predictions. A point without coordinates is not labelled, one that is not
visible is hidden. Before format 1.1 the first pixel's corner was (0, 0); it is its centre since.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.data.imports.common import (
    EXTRA_HINT,
    Imported,
    ImportOptions,
    Picture,
    PictureFinder,
    Subject,
    chosen_one,
)
from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, make_writable_folder

_USER, _BONE, _SYMMETRY = 0, 1, 2
_CENTRE_SINCE = 1.1


@dataclass(frozen=True, slots=True, eq=False)
class _Skeleton:
    name: str
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]


def fits(source: Path) -> bool:
    """Whether a source is a .slp file."""
    return source.suffix == ".slp"


def read(source: Path, options: ImportOptions) -> Imported:
    """Read the labels of people; pictures inside the file are written to `options.extracted`."""
    try:
        import h5py
    except ImportError:
        raise InputError(f"reading {source} needs the package h5py; {EXTRA_HINT}") from None
    if not source.is_file():
        raise InputError(f"{source} cannot be read: no such file; check the path")
    try:
        with h5py.File(source, "r") as file:
            return _read(source, file, options)
    except InputError:
        raise
    except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        detail = f"{type(error).__name__}: {one_line(error):.100}"
        raise InputError(f"expected a SLEAP file, but {source} is none ({detail})") from None


def _read(source: Path, file: Any, options: ImportOptions) -> Imported:
    metadata = json.loads(file["metadata"].attrs["json"])
    skeletons = [_skeleton(entry, metadata["nodes"]) for entry in metadata["skeletons"]]
    labels = [skeleton.name for skeleton in skeletons]
    chosen = labels.index(chosen_one(str(source), "skeleton", labels, options.category))
    skeleton = skeletons[chosen]
    shift = 0.0 if float(file["metadata"].attrs["format_id"]) >= _CENTRE_SINCE else 0.5
    instances, points = file["instances"][()], file["points"][()]
    of_frame: dict[int, list[Subject]] = {}
    predicted = 0
    for instance in instances:
        predicted += int(instance["instance_type"] != _USER)
        if instance["instance_type"] != _USER or instance["skeleton"] != chosen:
            continue
        rows = points[int(instance["point_id_start"]) : int(instance["point_id_end"])]
        if len(rows) != len(skeleton.names):
            raise InputError(
                f"{source}: expected {len(skeleton.names)} points in each instance, got {len(rows)}"
            )
        subject = Subject(_triples(rows, shift))
        if subject.triples[:, 2].any():
            of_frame.setdefault(int(instance["frame_id"]), []).append(subject)
    if not of_frame:
        raise InputError(f"{source}: expected instances that people labelled, found none")
    notes = [f"{predicted} predicted instances were left out"] if predicted else []
    return Imported(
        names=skeleton.names,
        category=skeleton.name,
        pictures=_pictures(source, file, of_frame, options),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs or None,
        notes=tuple(notes),
    )


def _skeleton(entry: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> _Skeleton:
    """A skeleton as SLEAP writes graphs: nodes and links by their place in the list of nodes."""
    graph = entry.get("nx_graph", entry)
    order = [node["id"] for node in graph["nodes"]]
    place = {node: index for index, node in enumerate(order)}
    pairs: dict[int, dict[frozenset[int], tuple[int, int]]] = {_BONE: {}, _SYMMETRY: {}}
    kinds: dict[int, int] = {}
    for link in graph["links"]:
        if "py/reduce" in link["type"]:
            kind = int(link["type"]["py/reduce"][1]["py/tuple"][0])
            kinds[len(kinds) + 1] = kind
        else:  # a kind that came before, counted from 1; some files count without saying
            number = int(link["type"]["py/id"])
            kind = kinds.get(number, number)
        ends = (place[link["source"]], place[link["target"]])
        pairs[kind].setdefault(frozenset(ends), ends)
    return _Skeleton(
        name=str(graph["graph"].get("name", "subject")),
        names=tuple(str(nodes[node]["name"]) for node in order),
        edges=tuple(pairs[_BONE].values()),
        flip_pairs=tuple(pairs[_SYMMETRY].values()),
    )


def _triples(rows: NDArray[Any], shift: float) -> NDArray[np.float64]:
    points = np.column_stack([rows["x"], rows["y"]]).astype(np.float64) - shift
    labelled = np.asarray(np.isfinite(points).all(axis=1))
    visibility = np.where(labelled, 1.0 + rows["visible"].astype(bool), 0.0)
    return np.column_stack([np.where(labelled[:, None], points, 0.0), visibility])


def _pictures(
    source: Path, file: Any, of_frame: Mapping[int, list[Subject]], options: ImportOptions
) -> tuple[Picture, ...]:
    videos = [json.loads(entry) for entry in file["videos_json"][()]]
    finder = PictureFinder(options.images or source.parent)
    pictures = []
    for frame in file["frames"][()]:
        subjects = of_frame.get(int(frame["frame_id"]))
        if subjects is None:
            continue
        video, number = int(frame["video"]), int(frame["frame_idx"])
        path = _frame_file(source, file, video, videos[video]["backend"], number, finder, options)
        if path is not None:
            pictures.append(Picture(path, tuple(subjects), extra={"video": video, "frame": number}))
    finder.expect_all(source)
    return tuple(pictures)


def _frame_file(
    source: Path,
    file: Any,
    video: int,
    backend: Mapping[str, Any],
    number: int,
    finder: PictureFinder,
    options: ImportOptions,
) -> Path | None:
    """The picture of a frame: one of a list of files, or written out of the file itself."""
    if backend.get("filenames"):
        name = str(backend["filenames"][number]).replace("\\", "/")
        return finder.find(name)
    dataset = backend.get("dataset") or f"video{video}/video"
    if dataset not in file:
        raise InputError(
            f"{source}: expected pictures in the file, but they are in {backend.get('filename')}; "
            "export a training package with pictures (.pkg.slp) in SLEAP"
        )
    numbers = file[f"{dataset.rpartition('/')[0]}/frame_numbers"][()].tolist()
    if number not in numbers:
        raise InputError(f"{source}: frame {number} of video {video} is labelled but not embedded")
    path = options.extracted / f"video{video}_{number:06}.png"
    make_writable_folder(options.extracted)
    picture = _embedded(file[dataset], numbers.index(number))
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
    return path


def _embedded(dataset: Any, row: int) -> Image.Image:
    """One embedded picture: an encoded file as bytes, or raw pixels; RGB either way."""
    stored = np.asarray(dataset[row])
    if dataset.attrs.get("format", "png") == "hdf5" or stored.ndim > 1:
        return Image.fromarray(stored.squeeze().astype(np.uint8)).convert("RGB")
    with Image.open(io.BytesIO(stored.astype(np.int8).tobytes())) as picture:
        rgb = picture.convert("RGB")
    # An RGB picture that OpenCV encoded, which takes it for BGR, has red and blue exchanged.
    if dataset.attrs.get("channel_order", "BGR") == "BGR":
        return Image.merge("RGB", rgb.split()[::-1])
    return rgb
