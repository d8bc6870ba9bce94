"""The command line: one typed function a subcommand, heavy imports inside the functions."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from hrnet.cli.convert import EXAMPLES as CONVERT_EXAMPLES
from hrnet.cli.convert import convert
from hrnet.cli.data import app as data_app
from hrnet.cli.evaluate import EXAMPLES as EVALUATE_EXAMPLES
from hrnet.cli.evaluate import evaluate
from hrnet.cli.export import EXAMPLES as EXPORT_EXAMPLES
from hrnet.cli.export import export
from hrnet.cli.models import INFO_EXAMPLES, MODELS_EXAMPLES, info, models
from hrnet.cli.predict import EXAMPLES as PREDICT_EXAMPLES
from hrnet.cli.predict import predict
from hrnet.cli.report import EXAMPLES as REPORT_EXAMPLES
from hrnet.cli.report import report
from hrnet.cli.streams import guarded_streams
from hrnet.cli.train import RECIPES_EXAMPLES, TRAIN_EXAMPLES, recipes, train
from hrnet.cli.weights import app as weights_app
from hrnet.errors import InputError, one_line

app = typer.Typer(
    name="hrnet",
    help="High-resolution networks: keypoints of persons from photos.",
    epilog="`hrnet COMMAND --help` has the options and examples of a command.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import hrnet

        typer.echo(f"hrnet {hrnet.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """High-resolution networks: keypoints of persons from photos."""


app.command(epilog=PREDICT_EXAMPLES)(predict)
app.command(epilog=EVALUATE_EXAMPLES)(evaluate)
app.command(epilog=EXPORT_EXAMPLES)(export)
app.command(epilog=TRAIN_EXAMPLES)(train)
app.command(epilog=RECIPES_EXAMPLES)(recipes)
app.command(epilog=MODELS_EXAMPLES)(models)
app.command(epilog=INFO_EXAMPLES)(info)
app.command(epilog=CONVERT_EXAMPLES)(convert)
app.command(epilog=REPORT_EXAMPLES)(report)
app.add_typer(weights_app)
app.add_typer(data_app)


def main() -> None:
    """Run the command line; whatever cannot be used gives one line on stderr and exit code 2.

    SIGTERM and the end of the terminal end a command as an exit does, so that temporary files are
    removed.
    """
    with guarded_streams() as stdout, _signals_end_the_command():
        code = _run()
        stdout.flush()
        if stdout.error is not None:
            _print_error(f"what was printed is not whole: {stdout.error.strerror}")
            code = code or 2
    if code:
        sys.exit(code)


@contextmanager
def _signals_end_the_command() -> Iterator[None]:
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # nohup asks for just that
            signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run() -> int:
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except InputError as error:
        _print_error(error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _print_error(f"{place}{error.strerror or error}")
    except (MemoryError, RecursionError) as error:
        _print_error(f"the input is too large ({type(error).__name__}); use a smaller one")
    return 2


def _print_error(error: object) -> None:
    typer.echo(f"hrnet: error: {one_line(error)}", err=True)
