"""The shape of the code, checked on its syntax trees: layers, torch-free parts, sizes, contracts.

A failure here is a question about the design, answered in docs/architecture.md, not only a rule.
"""

import ast
import re
import statistics
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"

# A module imports from its own layer or the ones above it in this table, at the top of the file or
# inside a function alike. A name stands for a module or for a package with all that is in it.
# A new module in no listed package must be given its place here.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "extras",
        "files",
        "numbers",
        "run_folder",
        "skeleton",
        "geometry",
        "resize",
        "growing",
        "ranks",
    ),
    (
        "codecs",
        "folds",
        "spec",
        "images",
        "image_files",
        "rasters",
        "metrics",
        "drawing",
        "markup",
        "axes",
        "charts",
        "models",
    ),
    ("data",),
    ("config",),
    ("tasks",),
    ("console", "runtime", "weights"),
    ("predict", "predict_files", "exporters", "check"),
    ("evaluation",),
    ("training", "reports", "recipes"),
    ("cli", "__init__", "__main__"),
)

# These run in the light core: neither they nor anything they import may import torch.
TORCH_FREE = (
    "errors",
    "extras",
    "files",
    "numbers",
    "run_folder",
    "skeleton",
    "geometry",
    "resize",
    "growing",
    "folds",
    "codecs",
    "spec",
    "images",
    "image_files",
    "rasters",
    "data",
    "metrics",
    "drawing",
    "markup",
    "axes",
    "charts",
    "console",
    "runtime",
    "tasks",
    "config",
)
# The parts of these places that need torch; nothing else there may import them.
DETECTOR = "anchors box_coder matching nms points predictor proposals regions second_stage".split()
TORCH_PARTS = re.compile(
    rf"hrnet\.(runtime\.(torch_engine|devices)|tasks\.\w+\.(network|\w+_loss|{'|'.join(DETECTOR)}))"
)

TORCH = {"torch", "torchvision", "safetensors.torch"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_MEDIAN_BODY_LINES = 12

PROPERTIES = {"property", "cached_property", "functools.cached_property"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Named = Function | ast.ClassDef


def _module_name(path: Path) -> str:
    """`src/hrnet/data/coco.py` is `hrnet.data.coco`; a package goes by its folder."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module_name(path): path for path in sorted(SRC.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}
PLACES = {place: layer for layer, places in enumerate(LAYERS) for place in places}


def _place(module: str) -> str:
    """The entry of LAYERS that a module stands under."""
    return module.split(".")[1] if "." in module else "__init__"


def _imported_names(module: str) -> set[str]:
    """Every dotted name a module imports, `from a import b` as `a.b`, relative ones resolved."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(up if node.level else []), *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def _owner(name: str) -> str | None:
    """Return our module that a dotted name lies in: `hrnet.spec.PoseSpec` -> `hrnet.spec`."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def _graph() -> dict[str, set[str]]:
    return {
        module: {owner for name in _imported_names(module) if (owner := _owner(name))} - {module}
        for module in MODULES
    }


GRAPH = _graph()


def _reachable(module: str) -> set[str]:
    seen, todo = {module}, [module]
    while todo:
        new = GRAPH[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def _imports_torch(module: str) -> bool:
    names = _imported_names(module)
    return any(name == torch or name.startswith(f"{torch}.") for name in names for torch in TORCH)


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Named]]:
    """The public functions, classes and methods of a module, with their dotted names."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def _told_by_its_class(node: Named) -> bool:
    """A network's `forward`, a property, a protocol's method: the class says what they are."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    is_stub = ast.unparse(node.body[-1]) == "..."
    return node.name == "forward" or is_stub or not decorators.isdisjoint(PROPERTIES)


def _body_lines(function: Function) -> int:
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_module_hides_a_public_name() -> None:
    """The import system puts a module beside `__init__.py` into the place of a name of its own."""
    import hrnet

    assert not [name for name in hrnet.__all__ if f"hrnet.{name}" in MODULES]


def test_every_module_has_a_layer() -> None:
    unplaced = sorted({_place(module) for module in MODULES} - set(PLACES))
    assert not unplaced, f"give these a place in LAYERS: {unplaced}"


def test_imports_point_down() -> None:
    wrong = [
        f"{module} imports {other}"
        for module, others in GRAPH.items()
        for other in sorted(others)
        if PLACES[_place(other)] > PLACES[_place(module)]
    ]
    assert not wrong, wrong


def test_no_import_cycles() -> None:
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("place", TORCH_FREE)
def test_light_core_never_imports_torch(place: str) -> None:
    wrong = [
        f"{module} through {other}"
        for module in MODULES
        if _place(module) == place and not TORCH_PARTS.fullmatch(module)
        for other in sorted(_reachable(module))
        if _imports_torch(other)
    ]
    assert not wrong, wrong


def test_public_names_are_documented() -> None:
    """The first paragraph of every docstring is a sentence."""
    wrong = []
    for module, tree in TREES.items():
        if tree.body and not ast.get_docstring(tree):
            wrong.append(f"{module} (the file)")
        for name, node in _public(tree.body):
            first = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
            if not _told_by_its_class(node) and not first.endswith((".", ":")):
                wrong.append(f"{module}.{name}")
    assert not wrong, f"no docstring, or its first paragraph is no sentence: {wrong}"


def test_public_functions_are_typed() -> None:
    """Every parameter and result has a type that is not Any; no `**kwargs` is passed through."""
    wrong = []
    for module, tree in TREES.items():
        for name, node in _public(tree.body):
            if not isinstance(node, Function):
                continue
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = [arg for arg in given if arg.arg not in ("self", "cls")]
            types = [arg.annotation for arg in named] + [node.returns]
            said_any = any(
                isinstance(part, ast.Name) and part.id == "Any"
                for annotation in types
                if annotation
                for part in ast.walk(annotation)
            )
            if None in types or said_any or node.args.kwarg:
                wrong.append(f"{module}.{name}")
    assert not wrong, wrong


def test_functions_fit_on_a_screen() -> None:
    too_long = [
        f"{module}.{node.name}: {lines} lines"
        for module, tree in TREES.items()
        for node in _functions(tree)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not too_long, too_long
    bodies = [_body_lines(node) for tree in TREES.values() for node in _functions(tree)]
    assert statistics.median(bodies) <= MAX_MEDIAN_BODY_LINES


def test_files_stay_short() -> None:
    files = [*MODULES.values(), *sorted((ROOT / "tests").rglob("*.py"))]
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in files
    }
    too_long = {name: count for name, count in lines.items() if count > MAX_FILE_LINES}
    assert not too_long, too_long


def test_the_table_names_only_what_exists() -> None:
    gone = sorted(set(PLACES) - {_place(module) for module in MODULES})
    assert not gone, f"LAYERS names modules that are not there: {gone}"


# What streams, trains, evaluates, exports and reports, for every task alike.
SHARED = (
    "config",
    "console",
    "evaluation",
    "exporters",
    "markup",
    "axes",
    "charts",
    "predict",
    "predict_files",
    "reports",
    "run_folder",
    "runtime",
    "training",
)
TASK_WORDS = set(
    "pose poses person persons keypoint keypoints skeleton heatmap heatmaps sigma sigmas oks ap "
    "pckh coco classification classes segmentation masks miou detection".split()
)


def _words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every word of the names and texts of a module, docstrings aside, with its line."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        texts: list[str] = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts = [] if id(node) in docstrings else [node.value]
        elif isinstance(node, ast.ImportFrom):
            texts = [node.module or "", *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Name):
            texts = [node.id]
        elif isinstance(node, ast.Attribute):
            texts = [node.attr]
        elif isinstance(node, Named | ast.arg | ast.keyword):
            texts = [getattr(node, "name", None) or getattr(node, "arg", None) or ""]
        for text in texts:
            for word in re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", text).lower()):
                yield getattr(node, "lineno", 0), word


@pytest.mark.parametrize("place", SHARED)
def test_shared_code_names_no_task(place: str) -> None:
    wrong = [
        f"{module}, line {line}: {word}"
        for module, tree in TREES.items()
        if _place(module) == place
        for line, word in _words(tree)
        if word in TASK_WORDS
    ]
    assert not wrong, wrong
