"""A request to stop, from the user or the system."""

import signal

import pytest

from hrnet.training.stop import stop_request


def test_a_second_signal_acts_as_usual():
    # A job that a shell started in the background ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    said: list[str] = []
    with stop_request(said.append) as request:
        signal.raise_signal(signal.SIGINT)
        assert request.name == "SIGINT"
        assert len(said) == 1
        assert "SIGINT: stopping after this step" in said[0]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
