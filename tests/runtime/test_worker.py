from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from live_cam.runtime.worker import Worker


def test_an_exception_is_raised_in_the_callers_thread_once() -> None:
    def fail() -> None:
        raise KeyError("lost")

    worker = Worker("failing", fail)
    worker.check()
    worker.start()
    assert worker.join()
    with pytest.raises(KeyError, match="lost"):
        worker.check()
    worker.check()


def test_join_waits_for_a_function_that_returns() -> None:
    stop = threading.Event()
    worker = Worker("obedient", lambda: (stop.wait(10), None)[1])
    assert worker.join(), "never started: nothing to wait for"
    worker.start()
    assert worker.running
    stop.set()
    assert worker.join()
    assert not worker.running


def test_join_interrupts_a_function_without_a_stop_event() -> None:
    cleaned = threading.Event()

    def download() -> None:
        try:
            while True:
                time.sleep(0.01)
        finally:
            cleaned.set()

    worker = Worker("download", download)
    worker.start()
    assert worker.join(timeout=0.5)
    assert cleaned.is_set()
    worker.check()


def test_a_failure_that_was_raised_keeps_nothing_alive() -> None:
    """An encoder's threads live as long as the encoder, whose failure this may be."""

    class Encoder:
        def encode(self) -> None:
            raise KeyError("lost")

    encoder = Encoder()
    alive = weakref.ref(encoder)
    worker = Worker("failing", encoder.encode)
    worker.start()
    assert worker.join()
    gc.disable()
    try:
        with pytest.raises(KeyError):
            worker.check()
        del worker, encoder
        assert alive() is None
    finally:
        gc.enable()
