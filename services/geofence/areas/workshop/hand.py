"""The process that works on geometry: reads jobs on its input, answers on its output.

It is run as a module, holds no secret, and ends with its input.
"""

import resource
import signal
import struct
import sys
import traceback
from typing import BinaryIO

from services.geofence.areas.workshop.job import FAILURE, answer, unpack_job

LENGTH = struct.Struct("<Q")
READY = b"+"
# S31, in this process's own time: on a machine busy with others no honest area is refused for it.
# Whatever the caps let through takes less than one.
LIMIT_S = 2.0
# Ten times what the largest area within the caps takes.
MEMORY_BYTES = 2 << 30


def work(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Answer jobs, each with its length before it, until there are no more.

    One that takes longer than LIMIT_S ends the process, even inside a library: by SIGPROF.
    """
    answers.write(READY)
    answers.flush()
    while head := jobs.read(LENGTH.size):
        data = jobs.read(LENGTH.unpack(head)[0])
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        try:
            done = answer(unpack_job(data))
        except MemoryError:
            raise
        except Exception:
            traceback.print_exc()
            done = FAILURE
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(LENGTH.pack(len(done)) + done)
        answers.flush()


if __name__ == "__main__":
    # An interrupt is for the service, which then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    work(sys.stdin.buffer, sys.stdout.buffer)
