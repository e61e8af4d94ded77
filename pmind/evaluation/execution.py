"""Candidate programs (HumanEval) are run in a process of their own that may do little but compute.

Programs written by a model are run by nobody who has not asked for it: without ``allow=True`` nothing
starts. What holds a program, of which :attr:`Execution.guards` names those that took hold:

============  ==========================================================================================
limits        ``setrlimit``: processor time, address space, size of each file, open files, and neither a
              process nor a thread more (the last one does not bind root). Wall time is kept from outside:
              then the whole process group is killed.
namespaces    a network without interfaces and System V IPC of its own (``unshare``).
landlock      files: reads and writes in the empty working folder, reads of the interpreter's library and
              of the system's shared libraries.
seccomp       no system call that starts a process, thread or socket, signals or traces another process,
              or changes owners and modes.
hook          a Python audit hook that refuses every event not known to be harmless.
============  ==========================================================================================

Limits and hook are always there. The three of the kernel are taken where it offers them (Linux 5.13 on
x86_64 and aarch64 has all; some containers forbid one). Where they are, the network, other processes and
other files' contents are out of reach even of a program that gets around the hook. **Where they are not,
the hook alone is no sandbox**: it stops what a model writes by accident, not who attacks it on purpose.
Nothing here protects against errors of the kernel, and these are possible always: to learn names, sizes
and times of files; to fill the disk with many small files until time is over; to cheat, as the verdict comes
from the interpreter that runs the program. Against hostile programs use a virtual machine.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Literal

from pmind.errors import DataError

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
CHILD = Path(__file__).with_name("execution_child.py")
INTERPRETER_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8")  # no folder of the script, user or site packages
ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8:backslashreplace"}  # and nothing else
CHUNK = 65536

Reason = Literal["passed", "failed", "timed out", "error"]


@dataclass(frozen=True)
class Limits:
    """What one program may use.

    Attributes:
        cpu_s: whole seconds of processor time; the official harness stops after 3 s of wall time, but
            a verdict should not depend on what else the machine does.
        wall_s: seconds until the program is killed, whatever it waits for.
        memory_bytes: address space, the interpreter's own (some 30 MB) included.
        file_bytes: size of each file that it writes.
        open_files: descriptors, of which the interpreter needs a few.
        output_bytes: of standard output and error together; what follows is read and dropped.
    """

    cpu_s: int = 3
    wall_s: float = 15.0
    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 20
    open_files: int = 32
    output_bytes: int = 1 << 14


@dataclass(frozen=True)
class Execution:
    """How a program ended.

    Attributes:
        reason: ``passed`` if it ran to its end; ``failed`` if it raised anything, a refusal, ``MemoryError``
            and ``SystemExit`` included; ``timed out``; ``error`` if it ended without a verdict (a crash).
        detail: the exception, the limit or the signal; empty if it passed.
        output: what it printed, cut to ``Limits.output_bytes``.
        guards: what held it, see above; empty if it was killed before it began.
    """

    reason: Reason
    detail: str
    output: str
    guards: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the program ran to its end."""
        return self.reason == "passed"


def truncate_completion(text: str) -> str:
    """TEXT up to the first of HumanEval's stop sequences (Chen et al., 2021, section 3.2).

    Example:
        >>> truncate_completion("    return x\\n\\nprint(f(1))\\ndef g(): pass")
        '    return x\\n'
    """
    return text[: min((place for place in map(text.find, STOPS) if place >= 0), default=len(text))]


def humaneval_program(prompt: str, completion: str, test: str, entry_point: str) -> str:
    """The program that passes if COMPLETION is right, put together as by the official harness.

    Example:
        >>> humaneval_program("def f():\\n", "    return 1", "def check(c):\\n    assert c() == 1", "f")
        'def f():\\n    return 1\\ndef check(c):\\n    assert c() == 1\\ncheck(f)'
    """
    return f"{prompt}{completion}\n{test}\ncheck({entry_point})"


def run_program(program: str, *, allow: bool = False, limits: Limits | None = None) -> Execution:
    """Run PROGRAM to its end or to one of its limits. Several threads may do so at once.

    It sees the standard library only, empty globals, an empty folder and environment, and hash and random
    seeds of 0, so that the same program gets the same verdict.

    Args:
        program: Python source.
        allow: the user's consent to run code that a model wrote; nothing but ``True`` will do.
        limits: what it may use, the defaults of :class:`Limits` if not given.

    Raises:
        DataError: there is no consent, or this machine cannot hold a program.
    """
    if allow is not True:
        raise DataError(
            "nothing was run: scoring needs to execute programs that a model wrote, and nobody allowed it. "
            "If you accept that on this machine, add --run-code"
        )
    if sys.platform != "linux":
        raise DataError(f"programs can be held in bounds on Linux only, not on {sys.platform}; score there")
    with TemporaryDirectory(prefix="pmind-run-", ignore_cleanup_errors=True) as folder:
        return _run(program, folder, limits or Limits())


@dataclass(frozen=True)
class _Heard:
    """What came from a process: its output, its messages, and whether both ended in time."""

    output: str
    messages: str
    in_time: bool


def _run(program: str, folder: str, limits: Limits) -> Execution:
    nonce = token_hex()  # a program that leaves early or prints much cannot pass by accident
    receiver, sender = os.pipe()
    with os.fdopen(receiver), TemporaryFile() as order:
        with os.fdopen(sender):
            order.write(_order(program, folder, sender, nonce, limits))
            order.seek(0)
            process = _start(order.fileno(), sender, folder)
        heard = _listen(process, receiver, time.monotonic() + limits.wall_s, limits.output_bytes)
    return _verdict(heard, nonce, process.returncode, limits)


def _order(program: str, folder: str, channel: int, nonce: str, limits: Limits) -> bytes:
    kept_here = {"wall_s", "output_bytes"}
    for_kernel = {name: value for name, value in asdict(limits).items() if name not in kept_here}
    place = str(Path(folder).resolve())
    order = {"program": program, "folder": place, "channel": channel, "nonce": nonce, "limits": for_kernel}
    return json.dumps(order).encode()


def _start(order: int, channel: int, folder: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *INTERPRETER_FLAGS, CHILD],
        stdin=order,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=ENVIRONMENT,
        pass_fds=(channel,),
        start_new_session=True,
    )


def _listen(process: subprocess.Popen, channel: int, deadline: float, most_bytes: int) -> _Heard:
    """Read until both ends close or time is over; then nothing of the process group is left."""
    texts = {process.stdout.fileno(): bytearray(), channel: bytearray()}
    try:
        in_time = _read(texts, deadline, most_bytes)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # not waited for yet, so that the number is still its own
        process.wait()
        process.stdout.close()
    output, messages = (bytes(text).decode(errors="replace") for text in texts.values())
    return _Heard(output, messages, in_time)


def _read(texts: dict[int, bytearray], deadline: float, most_bytes: int) -> bool:
    """Fill TEXTS from their descriptors, each up to MOST_BYTES; whether all closed before DEADLINE."""
    with selectors.DefaultSelector() as open_ends:
        for end in texts:
            open_ends.register(end, selectors.EVENT_READ)
        while open_ends.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in open_ends.select(left):
                chunk = os.read(key.fd, CHUNK)
                texts[key.fd] += chunk[: most_bytes - len(texts[key.fd])]
                if not chunk:
                    open_ends.unregister(key.fd)
    return True


def _verdict(heard: _Heard, nonce: str, status: int, limits: Limits) -> Execution:
    ready, _, rest = heard.messages.partition("\n")
    guards = tuple(ready.split()[1:])
    _, decided, verdict = rest.partition(f"{nonce} ")
    if decided:
        reason, _, detail = verdict.partition("\n")
        return Execution(reason, detail, heard.output, guards)
    if status == -signal.SIGXCPU:
        return Execution("timed out", f"used {limits.cpu_s} s of processor time", heard.output, guards)
    if not heard.in_time:
        return Execution("timed out", f"not done after {limits.wall_s:g} s", heard.output, guards)
    if not guards:
        why = heard.output.strip().rpartition("\n")[2] or _ending(status)
        raise DataError(f"programs cannot be held in bounds on this machine: {why}. Score on another one")
    return Execution("error", f"no verdict, {_ending(status)}", heard.output, guards)


def _ending(status: int) -> str:
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"left with exit code {status}"
