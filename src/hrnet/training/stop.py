"""Stop a training when the system or the user asks for it, but not in the middle of a step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """The request of a signal to end: `name` is its name, or empty."""

    def __init__(self) -> None:
        self.name = ""


@contextmanager
def stop_request(say: Callable[[str], None]) -> Iterator[StopRequest]:
    """Note SIGTERM and SIGINT (Ctrl-C) for the block; a second one acts as it usually does.

    say: prints at once that the request has come, since a step or an evaluation may take long.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may handle signals
        return
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
