"""Name the pipes between a service and its load generator, and define what passes through them.

The host makes the pipes in one folder. It writes a command for each probe into the first one and reads a record from
the second one, as lines of JSON. The generator writes requests into the third one, and the workers write answers into
the fourth one, both as the binary records below.

The pipe of the requests is the service's queue: all workers read from it, and reading removes a request. Records stay
whole, because the kernel does not mix what two processes read, or write in at most `ATOMIC_BYTES`, at the same time.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from array import array

COMMANDS, PROBES, REQUESTS, ANSWERS = PIPES = ("commands", "probes", "requests", "answers")
REQUEST = struct.Struct("<QI4x")  # number of the request, number of its text
#: Number of the request, time of the answer, CPU time and waiting time of the worker so far, all three in nanoseconds,
#: size of the batch, number of the worker.
ANSWER = struct.Struct("<QQQQII")
STARTED = 2**64 - 1  # instead of a request's number: the worker is warm
UNKNOWN = 2**64 - 1  # instead of a waiting time
ATOMIC_BYTES = 4096  # PIPE_BUF of Linux: a write of at most this many bytes is not mixed with another one


def waiting_requests(requests: int) -> int:
    """Return the number of requests that wait in the pipe."""
    size = array("i", [0])
    fcntl.ioctl(requests, termios.FIONREAD, size)
    return size[0] // REQUEST.size
