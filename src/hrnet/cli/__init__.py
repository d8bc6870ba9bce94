"""The command line: one typed function per subcommand, with heavy imports inside the functions."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, cast

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
    help="High-resolution networks (HRNet): find keypoints or classes in images, and train.",
    epilog="Run `hrnet COMMAND --help` for the options of a command, with examples.",
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
    """Take the options of `hrnet` itself."""


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
    """Run the command line; bad input prints one line on stderr and exits with code 2.

    SIGTERM and SIGHUP end a command by SystemExit, so that temporary files are removed.
    """
    with guarded_streams() as stdout, _signals_end_the_command():
        code = _run()
        stdout.flush()
        if stdout.error is not None:
            _print_error(f"the printed output is incomplete: {stdout.error.strerror}")
            code = code or 2
    if code:
        sys.exit(code)


@contextmanager
def _signals_end_the_command() -> Iterator[None]:
    """Raise SystemExit on SIGTERM and SIGHUP during the block."""
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # such as under nohup
            signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run() -> int:
    """Run the command and return its exit code; errors of the user are printed as one line."""
    try:
        return app(prog_name="hrnet", standalone_mode=False) or 0  # the code of typer.Exit
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except _USAGE_ERROR as error:
        _print_usage_error(cast(typer.BadParameter, error))
    except InputError as error:
        _print_error(error)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _print_error(f"{place}{error.strerror or error}")
    except (MemoryError, RecursionError) as error:
        _print_error(f"the input is too large ({type(error).__name__}); use a smaller one")
    return 2


_USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""Base class of all errors in the arguments of a command; typer has no public name for it."""


def _print_usage_error(error: typer.BadParameter) -> None:
    """Print wrong arguments as one line; a group without a command prints its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    command = error.ctx.command_path if error.ctx else "hrnet"
    _print_error(f"{error.format_message().rstrip('.')}; see `{command} --help`")


def _print_error(error: object) -> None:
    typer.echo(f"hrnet: error: {one_line(error)}", err=True)
