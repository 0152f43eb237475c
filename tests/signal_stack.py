"""The stack that signal handlers run on, put back after each test.

OpenVINO's CPU plugin gives the thread that loads it a stack of its own, and takes it from under that thread where
another one frees the plugin: the next signal that Python handles then ends the process (SIGSEGV). Here all engines
share a process; outside the tests, each has one to itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_LIBC = ctypes.CDLL(None)


class _Stack(ctypes.Structure):
    """`stack_t`; see sigaltstack(2)."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Leave this thread's stack for signals as it was."""
    before = _Stack()
    _LIBC.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        _LIBC.sigaltstack(ctypes.byref(before), None)


@pytest.fixture(autouse=True)
def signal_stack() -> Iterator[None]:
    """Leave it as it was, whatever the test does."""
    with kept_signal_stack():
        yield
