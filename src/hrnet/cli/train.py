"""`hrnet train` and `hrnet recipes`."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.data import Category
from hrnet.cli.folds import Folds, Group, Own, cross_validate
from hrnet.cli.options import MmPerPixel, WholeImage
from hrnet.errors import InputError, printable
from hrnet.extras import packages_for
from hrnet.files import exists

if TYPE_CHECKING:
    from hrnet.config import Experiment

TRAIN_EXAMPLES = """\b
Examples:
  hrnet train --data my.json --images images/ --out runs/my
  hrnet train --data pets/ --out runs/pets
  hrnet train --data data.yaml --out runs/boxes
  hrnet train --data my.json --images images/ --folds 5 --group patient --out runs/folds
  hrnet train pose/hrnet_w32_coco_256x192 --set train.batch_size=32 --out runs/w32
  hrnet train --resume runs/w32
"""

RECIPES_EXAMPLES = """\b
Examples:
  hrnet recipes
  hrnet recipes pose/hrnet_w32_coco_256x192
"""

Recipe = Annotated[
    str | None,
    typer.Argument(metavar="RECIPE", help="Name of a recipe; `hrnet recipes` lists them."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="RUN",
        help="New folder for checkpoints, log and settings (default: runs/NAME).",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "-d",
        metavar="PATH",
        help="Your own data: a COCO file of keypoints or boxes, a folder with a folder for each "
        "class, a list of images and classes, or what `hrnet data import` reads.",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        "-i",
        metavar="DIR",
        help="Image folder (default: next to --data, or images/ there).",
    ),
]
Val = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Data to evaluate on (default: a tenth of the images is set apart).",
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Masks of the images in --data, of the same names (default: masks/ beside images/).",
    ),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="An experiment.json, instead of a recipe.")
]
Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN", help="Continue a run. A finished one trains on with --set train.epochs=N."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        help="Change one setting; may be repeated. `hrnet recipes NAME` lists them.",
    ),
]


def train(
    recipe: Recipe = None,
    out: Out = None,
    data: Data = None,
    images: Images = None,
    val: Val = None,
    category: Category = None,
    masks: Masks = None,
    whole_image: WholeImage = False,
    mm_per_pixel: MmPerPixel = None,
    folds: Folds = None,
    group: Group = None,
    config: Config = None,
    resume: Resume = None,
    settings: Settings = None,
) -> None:
    """Train a network by a recipe, or on your own data.

    Give one of RECIPE, --data, --config and --resume.
    Several GPUs or machines: torchrun --nproc-per-node=N -m hrnet train ...
    """
    # Check that the options go together.
    _expect_one({"RECIPE": recipe, "--config": config, "--data": data, "--resume": resume})
    if data is None and (images or val or category or masks or whole_image or mm_per_pixel):
        raise InputError(_WITH_DATA)
    if resume is not None and out is not None:
        raise InputError("--resume goes on in its own folder; leave --out away")
    if folds is None and group is not None:
        raise InputError("expected --group with --folds alone; leave it out, or add --folds")
    # Choose the experiment.
    with packages_for("training"):
        from hrnet.folds import is_cross_validation
        from hrnet.training.folder import expect_no_run
        from hrnet.training.launch import launched
        from hrnet.training.train import train as run
    say = _say if launched().is_main else lambda line: None  # only rank 0 prints
    changes = settings or []
    own = Own(
        category=category, whole_images=whole_image, mm_per_pixel=mm_per_pixel, settings=changes
    )
    if folds is not None or (resume is not None and is_cross_validation(resume)):
        alone = {"--val": val, "--masks": masks, "--config": config, "RECIPE": recipe}
        cross_validate(data, images, resume or out, folds, group, own, alone=alone, say=say)
        return
    folder = resume or out or _new_folder(data or config or Path(str(recipe)))
    about: list[str] = []
    if data is not None:
        from hrnet.recipes.finetune import own_experiment

        expect_no_run(folder)  # before parts of the data are written into it
        experiment, about = own_experiment(data, images, val=val, out=folder, masks=masks, **own)
        about.append(f"run: {folder}")
    else:
        experiment = _given(recipe, config, resume, changes)
    # Train.
    for line in about:
        say(line)
    best = run(experiment, folder, resume=resume is not None, say=say)
    if best is not None:
        say(f"model written to {best}; use it with `hrnet predict IMAGE --model {folder}`")


_WITH_DATA = (
    "--images and --val go with --data, as do --masks, --category, --whole-image and "
    "--mm-per-pixel; in a recipe it is --set data.images="
)


def _expect_one(ways: dict[str, str | Path | None]) -> None:
    """Raise InputError unless exactly one way to name a training is given."""
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise InputError(
            "expected one of RECIPE, --config FILE, --data FILE and --resume RUN, got "
            f"{' and '.join(given) or 'none'}; `hrnet recipes` lists recipes"
        )


def _say(line: str) -> None:
    """Print a line whose names may come from files."""
    typer.echo(printable(line))


def _given(
    recipe: str | None, config: Path | None, resume: Path | None, settings: Sequence[str]
) -> "Experiment":
    """Return the experiment of a recipe or a file, with the settings applied."""
    from hrnet.config import override
    from hrnet.recipes import get_recipe
    from hrnet.run_folder import EXPERIMENT
    from hrnet.tasks import read_experiment

    file = resume / EXPERIMENT if resume is not None else config
    return override(read_experiment(file) if file else get_recipe(str(recipe)), settings)


def _new_folder(source: Path) -> Path:
    """Return the first of runs/NAME, runs/NAME_2, ... that is free."""
    from hrnet.training.launch import launched

    if launched().size > 1:
        raise InputError("expected --out RUN, which several processes need, got none")
    name = source.parent.name if source.name == "experiment.json" else source.stem
    folder, count = Path("runs") / name, 1
    while exists(folder):
        count += 1
        folder = Path("runs") / f"{name}_{count}"
    return folder


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A recipe, to print its settings."),
    ] = None,
) -> None:
    """List the recipes, or print the settings of one.

    Each setting comes with its value and its meaning.
    """
    from hrnet.recipes import RECIPES, get_recipe

    if name is None:
        width = max(map(len, RECIPES))
        for one, recipe in RECIPES.items():
            typer.echo(f"{one:{width}}  {(recipe.__doc__ or '').splitlines()[0]}")
        typer.echo("`hrnet recipes NAME` prints the settings of one", err=True)
        return
    from hrnet.config import settings_of

    experiment = get_recipe(name)
    typer.echo(f"{textwrap.dedent('    ' + (RECIPES[name].__doc__ or '').rstrip())}\n")
    for setting in settings_of(experiment):
        typer.echo(f"{setting.name}={setting.value}")
        typer.echo(textwrap.indent(textwrap.fill(setting.meaning, 92), "    "))
