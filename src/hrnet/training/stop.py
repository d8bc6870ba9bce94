"""Stop a training on SIGTERM or Ctrl-C, after the current step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """A request to stop: `name` is that of the signal, empty before there was one."""

    def __init__(self) -> None:
        self.name = ""


@contextmanager
def stop_request(say: Callable[[str], None]) -> Iterator[StopRequest]:
    """Note SIGTERM and SIGINT (Ctrl-C) during the block; a second one acts as it usually does.

    say: prints a line at once, since a step or an evaluation may take long.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may handle signals
        return
    # Put the usual handlers back at the first signal, so that a second one acts as usual.
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        request.name = signal.Signals(number).name
        for one, handler in before.items():
            signal.signal(one, handler)
        with suppress(RuntimeError, OSError):  # it came in the middle of another print
            say(
                f"{request.name}: stopping after this step, with the state saved; a second one "
                "ends at once, without saving"
            )

    for number in _SIGNALS:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
