"""Runs one candidate program: gives up rights, executes it, and tells how it ended.

A program of its own, started by :mod:`pmind.evaluation.execution`, whose docstring says what this
guarantees. It imports nothing of the package, so that it starts quickly and holds nothing worth reading.
"""

import ctypes
import json
import os
import random
import resource
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

LONGEST_DETAIL = 300  # characters of an exception's own words
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
NEW_USER, NEW_NETWORK, NEW_IPC = 0x10000000, 0x40000000, 0x08000000
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # BPF: ld w abs, jeq k, jge k, ret k
ALLOW, NOT_PERMITTED, KILL = 0x7FFF0000, 0x00050001, 0x80000000
OTHER_ABI = 0x40000000  # system call numbers of x32 begin here

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # audit name, column below
DENIED_CALLS = {  # number on x86_64, on aarch64; None where there is none
    **{"clone": (56, 220), "clone3": (435, 435), "fork": (57, None), "vfork": (58, None)},
    **{"execve": (59, 221), "execveat": (322, 281), "socket": (41, 198), "socketpair": (53, 199)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)},
    **{"rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434)},
    **{"pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "ptrace": (101, 117), "prlimit64": (302, 261)},
    **{"process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "chroot": (161, 51)},
    **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425)},
    **{"chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452)},
    **{"chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54)},
}

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's system calls, the same everywhere
ASK_VERSION, PATH_BENEATH = 1, 1
RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}  # rights over files that it knows; later ones 16
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")  # what the interpreter's extensions load

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FOLDER_EVENTS = {"os.listdir", "os.scandir"}
HARMLESS_EVENTS = {
    *("import", "compile", "exec", "code.__new__", "function.__new__", "marshal.load", "marshal.loads"),
    *("object.__getattr__", "object.__setattr__", "object.__delattr__", "array.__new__", "pickle.find_class"),
    *("sys._getframe", "sys._getframemodulename", "sys.excepthook", "sys.unraisablehook", "builtins.id"),
    *("builtins.input", "builtins.input/result", "time.sleep", "os.putenv", "os.unsetenv"),
    *("os.walk", "os.fwalk", "glob.glob", "glob.glob/2", "pathlib.Path.glob", "pathlib.Path.rglob"),
}


def main() -> None:
    """Do what the JSON on standard input says; the channel gets ``ready`` and the guards, then the verdict."""
    order = json.loads(sys.stdin.buffer.read())
    channel, nonce, program = order["channel"], order["nonce"], order["program"]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the order holds the nonce
    write, leave = os.write, os._exit  # before a program can replace them
    random.seed(0)  # the same program gets the same verdict
    library = [os.path.realpath(path) for path in sys.path]
    guards = give_up_rights(order["folder"], library, order["limits"])
    write(channel, f"ready {' '.join(guards)}\n".encode())
    verdict, detail = execute(program)
    write(channel, f"{nonce} {verdict}\n{detail}".encode(errors="replace"))
    leave(0)  # no exit handlers of the program


def execute(program: str) -> tuple[str, str]:
    """Verdict on PROGRAM and why; as in the official harness, its globals are empty and anything raised fails it."""
    try:
        exec(compile(program, "<candidate>", "exec"), {})
        verdict = "passed", ""
    except BaseException as error:
        verdict = "failed", _describe(error)
    with suppress(BaseException):  # what it printed is no part of the verdict, and it may have closed the streams
        sys.stdout.flush()
    return verdict


def give_up_rights(folder: str, readable: Sequence[str], limits: Mapping[str, int]) -> list[str]:
    """Keep only the right to compute, to read READABLE and to use FOLDER; names the guards that took hold."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
    guards = ["namespaces"] * leave_namespaces(libc)
    set_limits(**limits)
    guards += ["landlock"] * restrict_files(libc, folder, (*readable, *LIBRARIES))
    guards += ["seccomp"] * filter_calls(libc, os.uname().machine)
    sys.addaudithook(refusal(folder, readable))
    return ["limits", *guards, "hook"]


def set_limits(cpu_s: int, memory_bytes: int, file_bytes: int, open_files: int) -> None:
    """Bound what the kernel counts; no further process or thread may start (root is exempt from that one)."""
    bounds = {
        resource.RLIMIT_CPU: (cpu_s, cpu_s + 1),  # a signal that says why, then death
        resource.RLIMIT_AS: (memory_bytes, memory_bytes),
        resource.RLIMIT_FSIZE: (file_bytes, file_bytes),
        resource.RLIMIT_NOFILE: (open_files, open_files),
        resource.RLIMIT_NPROC: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, wanted in bounds.items():
        most = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, wanted if most == resource.RLIM_INFINITY else tuple(min(most, x) for x in wanted))


def leave_namespaces(libc: ctypes.CDLL) -> bool:
    """Whether the process is now alone in a network without interfaces, as an unprivileged user if possible."""
    return any(libc.unshare(flags | NEW_NETWORK | NEW_IPC) == 0 for flags in (NEW_USER, 0))


def restrict_files(libc: ctypes.CDLL, folder: str, readable: Iterable[str]) -> bool:
    """Whether Landlock now holds the process to FOLDER and, for reading, to READABLE."""
    version = libc.syscall(CREATE_RULESET, None, 0, ASK_VERSION)
    if version < 1:
        return False
    rights = (1 << RIGHTS_OF_VERSION.get(version, 16)) - 1
    rules = libc.syscall(CREATE_RULESET, struct.pack("=Q", rights), 8, 0)
    for path, these in (*((path, READ_FILE | READ_FOLDER) for path in readable), (folder, rights)):
        with suppress(FileNotFoundError, NotADirectoryError):  # not every system has every one of them
            place = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            libc.syscall(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", these, place), 0)
            os.close(place)
    restricted = libc.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return restricted


def filter_calls(libc: ctypes.CDLL, machine: str) -> bool:
    """Whether the kernel now refuses the system calls of DENIED_CALLS."""
    if machine not in ARCHITECTURES:
        return False
    architecture, column = ARCHITECTURES[machine]
    numbers = [row[column] for row in DENIED_CALLS.values() if row[column] is not None]
    code = b"".join(struct.pack("=HBBI", *step) for step in filter_steps(architecture, numbers))
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(code) // 8, ctypes.addressof(kept))
    arguments = (ctypes.c_ulong(FILTER_MODE), program, ctypes.c_ulong(0), ctypes.c_ulong(0))
    return libc.prctl(PR_SET_SECCOMP, *arguments) == 0


def filter_steps(architecture: int, numbers: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """BPF instructions (code, jump if true, jump if false, operand) that refuse the system calls NUMBERS.

    Example:
        >>> filter_steps(7, [41])[4:]  # two checks left: a call of another ABI, and 41
        [(53, 2, 0, 1073741824), (21, 1, 0, 41), (6, 0, 0, 2147418112), (6, 0, 0, 327681)]
    """
    head = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    checks = [(AT_LEAST, OTHER_ABI), *((EQUAL, number) for number in numbers)]
    jumps = [(code, len(checks) - place, 0, operand) for place, (code, operand) in enumerate(checks)]
    return [*head, *jumps, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_PERMITTED)]


def refusal(folder: str, readable: Sequence[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook that raises ``PermissionError`` for every event that is not known to be harmless."""

    def may_use(path: Any, writing: int) -> bool:
        if isinstance(path, int):  # a descriptor, whose opening was judged
            return True
        real = os.path.realpath(os.fsdecode(path if path is not None else "."))
        places = (folder,) if writing else (folder, *readable)
        return any(real == place or real.startswith(place + os.sep) for place in places)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in HARMLESS_EVENTS:
            return
        if event == "open" and may_use(arguments[0], arguments[2] & WRITING):
            return
        if event in FOLDER_EVENTS and may_use(arguments[0], 0):
            return
        raise PermissionError(f"{event} is refused" + (f": {arguments[0]!r}" if event == "open" else ""))

    return hook


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")[:LONGEST_DETAIL]
    except BaseException:  # the program's own exception, which may do anything when it is shown
        return type(error).__name__


if __name__ == "__main__":
    main()
