"""SLEAP labels: .slp files, and .pkg.slp files that hold their pictures.

Both are HDF5. Source of the layout: the documentation of sleap-io, "SLP format". Only what people
labelled is read, no predictions. A point without coordinates is not labelled, one that is not
visible is hidden. Before format 1.1 the first pixel's corner was (0, 0); it is its centre since.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco_file import Json
from hrnet.data.imports.common import (
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    chosen_one,
    name_of,
    shown,
)
from hrnet.data.imports.hdf5 import opened
from hrnet.data.imports.pictures import PictureFinder
from hrnet.data.imports.sleap_file import Extractor, SleapFile, no_sleap
from hrnet.errors import InputError
from hrnet.files import parse_json
from hrnet.numbers import to_float, to_int

OPTIONS = frozenset({"category"})
_USER, _BONE, _SYMMETRY = 0, 1, 2
_CENTRE_SINCE = 1.1
_MOST_INSTANCES = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class _Skeleton:
    name: str
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]


def fits(source: Path) -> bool:
    """Return True for a .slp file."""
    return source.suffix.lower() == ".slp"


def read(source: Source) -> Imported:
    """Read the labels of people; pictures inside the file are written to `options.extracted`."""
    with opened(source.path, no_sleap) as file:
        return _read(source, SleapFile(source.path, file))


def _read(source: Source, file: SleapFile) -> Imported:
    # The skeleton of that name, or the only one.
    metadata = _expect_object(file, parse_json(str(file.metadata("json") or ""), file.place))
    skeletons = _skeletons(source, file, metadata)
    labels = list(dict.fromkeys(skeleton.name for skeleton in skeletons))
    name = chosen_one(source, "skeleton", labels, source.options.category)
    skeleton = next(one for one in skeletons if one.name == name)
    # Its labelled instances by frame, and the pictures of these frames.
    of_frame = _subjects(source, file, skeletons, skeleton)
    if not of_frame:
        raise source.nothing_left(f"{source}: expected instances that people labelled, found none")
    return Imported(
        names=skeleton.names,
        category=skeleton.name,
        pictures=_pictures(source, file, of_frame),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs or None,
        inputs=(source.path,),
    )


def _expect_object(file: SleapFile, value: object) -> Json:
    if not isinstance(value, dict):
        raise no_sleap(file.path, f"got {shown(value)}")
    return value


def _subjects(
    source: Source, file: SleapFile, skeletons: Sequence[_Skeleton], chosen: _Skeleton
) -> dict[int, list[ImportedSubject]]:
    """The labelled subjects of each frame; instances that are not taken are counted."""
    # The instances that people labelled.
    fields = ("instance_type", "frame_id", "skeleton", "point_id_start", "point_id_end")
    instances = file.table("instances", fields)
    points = file.table("points", ("x", "y", "visible"))
    by_hand = instances["instance_type"] == _USER
    source.leave_out("predicted instances", count=int((~by_hand).sum()))
    if by_hand.sum() > _MOST_INSTANCES:
        raise InputError(f"{source}: expected at most {_MOST_INSTANCES:,} labelled instances")
    # Those of the chosen skeleton, which may be there several times.
    same = [place for place, one in enumerate(skeletons)
            if (one.name, one.names) == (chosen.name, chosen.names)]  # fmt: skip
    for place, count in Counter(instances["skeleton"][by_hand].tolist()).items():
        if place not in same:
            described = _described(skeletons, place, count)
            source.leave_out("instances of other skeletons", described, count)
    format_id = to_float(file.metadata("format_id"))
    shift = 0.0 if (format_id or 0.0) >= _CENTRE_SINCE else 0.5
    # Their points.
    of_frame: dict[int, list[ImportedSubject]] = {}
    rows = instances[by_hand & np.isin(instances["skeleton"], same)]
    columns = [rows[key].tolist() for key in ("frame_id", "point_id_start", "point_id_end")]
    tracked = "track" in (rows.dtype.names or ())
    tracks = rows["track"].tolist() if tracked else [-1] * len(rows)
    for frame, start, end, track in zip(*columns, tracks, strict=True):
        own = points[start:end] if 0 <= start <= end else points[:0]
        if len(own) != len(chosen.names):
            expected = f"expected {len(chosen.names)} points in each instance, got {len(own)}"
            source.wrong("instances", f"{source}: frame {frame}: {expected}")
            continue
        extra = {"track": track} if track >= 0 else {}
        subject = ImportedSubject(_triples(own, shift), extra=extra)
        if subject.triples[:, 2].any():
            of_frame.setdefault(frame, []).append(subject)
        else:
            source.leave_out("instances without a labelled point", f"frame {frame}")
    return of_frame


def _described(skeletons: Sequence[_Skeleton], place: int, count: int) -> str:
    """Describe a skeleton whose instances were left out, apart from one of the same name."""
    if place >= len(skeletons):
        return f"{count} of skeleton no. {place + 1}, which the file does not have"
    skeleton = skeletons[place]
    return f"{count} of {skeleton.name}, no. {place + 1}, with {len(skeleton.names)} keypoints"


def _skeletons(source: Source, file: SleapFile, metadata: Json) -> list[_Skeleton]:
    entries, nodes = metadata.get("skeletons"), metadata.get("nodes")
    if not isinstance(entries, list) or not isinstance(nodes, list):
        raise no_sleap(source.path, "no skeletons or no nodes")
    names = [name_of(node.get("name")) if isinstance(node, dict) else "" for node in nodes]
    found = []
    for count, entry in enumerate(entries, 1):
        skeleton = _skeleton(source, _expect_object(file, entry), names)
        if skeleton is None:
            raise InputError(
                f"{source}: skeleton {count} is not in SLEAP's form: expected lists of nodes "
                f"and links, the nodes from 0 to {len(names) - 1} and none twice"
            )
        found.append(skeleton)
    return found


def _graph_of(entry: Json) -> tuple[object, list[Json], list[Mapping[str, Any]]] | None:
    """Return the name, the nodes and the links of a skeleton, if it has them as SLEAP writes."""
    graph = entry.get("nx_graph", entry)
    if not isinstance(graph, dict):
        return None
    title, nodes, links = graph.get("graph", {}), graph.get("nodes"), graph.get("links")
    if not (isinstance(title, dict) and isinstance(nodes, list) and isinstance(links, list)):
        return None
    plain = all(isinstance(one, dict) for one in (*nodes, *links))
    return (title.get("name"), nodes, links) if plain else None


def _skeleton(source: Source, entry: Json, names: Sequence[str]) -> _Skeleton | None:
    """A skeleton as SLEAP writes graphs: nodes and links by their place in the list of nodes.

    None for another form, and where its nodes are not in the list or are there twice.
    """
    graph = _graph_of(entry)
    if graph is None:
        return None
    # Nodes refer to the list of all names, and each at most once.
    title, nodes, links = graph
    order = [to_int(node.get("id")) for node in nodes]
    numbers = [node for node in order if node is not None and 0 <= node < len(names)]
    if len(numbers) != len(order) or len(set(numbers)) != len(numbers):
        return None
    place = {node: index for index, node in enumerate(numbers)}
    # Links are bones or symmetries; a symmetry may be there in both directions.
    pairs: dict[int, dict[frozenset[int], tuple[int, int]]] = {_BONE: {}, _SYMMETRY: {}}
    kinds: dict[int, int] = {}
    for link in links:
        try:
            ends = (place[link["source"]], place[link["target"]])
            pairs[_kind(link["type"], kinds)].setdefault(frozenset(ends), ends)
        except (LookupError, TypeError, ValueError):
            source.leave_out("bones of another form", shown(link))
    return _Skeleton(
        name=name_of(title) or "subject",
        names=tuple(names[node] for node in numbers),
        edges=tuple(pairs[_BONE].values()),
        flip_pairs=tuple(pairs[_SYMMETRY].values()),
    )


def _kind(what: Mapping[str, list[Mapping[str, list[int]]]], kinds: dict[int, int]) -> int:
    """The kind of a link: written out, or the number of a kind that came before, from 1."""
    if "py/reduce" in what:
        kinds[len(kinds) + 1] = kind = to_int(what["py/reduce"][1]["py/tuple"][0]) or 0
        return kind
    number = to_int(what["py/id"])
    return kinds.get(number or 0, number or 0)  # some files count without writing kinds out


def _triples(rows: NDArray[np.void], shift: float) -> NDArray[np.float64]:
    points = np.column_stack([rows["x"], rows["y"]]).astype(np.float64) - shift
    labelled = np.asarray((np.abs(points) <= _FAR).all(axis=1))
    visibility = np.where(labelled, 1.0 + rows["visible"].astype(bool), 0.0)
    return np.column_stack([np.where(labelled[:, None], points, 0.0), visibility])


_FAR = 1e9
"""Points are within so many pixels, or they are no points."""


def _pictures(
    source: Source, file: SleapFile, of_frame: Mapping[int, list[ImportedSubject]]
) -> tuple[ImportedPicture, ...]:
    videos = [
        _expect_object(file, parse_json(one, file.place)) for one in file.texts("videos_json")
    ]
    # The frames with such instances, each once.
    finder = PictureFinder(source.options.images or source.path.parent)
    extractor = Extractor(file, source.options.extracted, source.options.replace)
    frames = file.table("frames", ("frame_id", "video", "frame_idx"))
    ids, first = np.unique(frames["frame_id"], return_index=True)
    source.leave_out("frames that are there twice", count=len(frames) - len(ids))
    frames = frames[np.sort(first)]
    labelled = np.isin(frames["frame_id"], list(of_frame))
    source.leave_out("frames without labels of people", count=int((~labelled).sum()))
    source.leave_out("frames not in the file's list", count=len(set(of_frame) - set(ids.tolist())))
    # Their pictures, beside the file or in it.
    pictures: list[ImportedPicture] = []
    columns = [frames[labelled][key].tolist() for key in ("frame_id", "video", "frame_idx")]
    for frame, video, number in zip(*columns, strict=True):
        if not 0 <= video < len(videos):
            line = f"{source}: frame {number}: expected one of {len(videos)} videos, got {video}"
            source.wrong("frames", line)
            continue
        backend = videos[video].get("backend")
        backend = backend if isinstance(backend, dict) else {}
        names = backend.get("filenames")
        if isinstance(names, list) and names:
            name = name_of(names[number]).replace("\\", "/") if 0 <= number < len(names) else ""
            if not name:
                line = f"{source}: expected the file of frame {number} of video {video}"
                source.wrong("frames", line)
                continue
            path = finder.find(name)
        else:
            path = extractor.write(video, number, backend)
        if path is not None:
            own = tuple(of_frame[frame])
            pictures.append(ImportedPicture(path, own, extra={"video": video, "frame": number}))
    finder.expect_all(source)
    if not pictures:
        raise source.nothing_left(f"{source}: expected labelled frames, found none")
    return tuple(pictures)
