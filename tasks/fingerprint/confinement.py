"""What a parsing child may not do, set by itself before it sees the first untrusted byte.

Memory, processor time and file size are limited by `setrlimit` everywhere; it dies with its parent.
On Linux (x86-64, ARM64) a seccomp filter also refuses sockets, programs, signals to others, tracing
and every change of a file system, with EPERM; where the filter cannot be set the limits remain.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path

OPEN_FILES = 64
"""A parser needs its socket and, for a rare encoding, one module of the standard library."""
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
"""BPF: load a word at an offset, jump if equal, jump if any bit is set, return (linux/filter.h)."""
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
"""SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM, SECCOMP_RET_KILL_PROCESS (linux/seccomp.h)."""
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
"""Offsets in `struct seccomp_data`."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_MACHINES: dict[str, tuple[int, tuple[int, ...], dict[int, int]]] = {
    "x86_64": (
        0xC000003E,
        # socket connect bind listen, execve kill rename mkdir rmdir creat link unlink
        # symlink chmod fchmod chown fchown lchown truncate ftruncate ptrace setxattr mount
        # mkdirat unlinkat renameat linkat symlinkat fchmodat fchownat process_vm_readv/writev
        # renameat2 execveat io_uring_setup openat2, x32's bit is cut off by the machine check
        (41, 42, 49, 50, 59, 62, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 76, 77, 101,
         188, 165, 258, 263, 264, 265, 266, 268, 260, 310, 311, 316, 322, 425, 437),
        {2: 1, 257: 2},  # open and openat: which argument holds the flags
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 200, 201, 221, 129, 34, 35, 36, 37, 38, 45, 46, 52, 53, 54, 55, 117, 5, 40,
         270, 271, 276, 281, 425, 437),
        {56: 2},
    ),
}  # fmt: skip
"""Audit number of the machine (linux/audit.h) and its numbers of the system calls refused."""


def _instruction(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, operand)


def filter_program(machine: str) -> bytes | None:
    """Return the seccomp filter of a machine, or None where its numbers are not known."""
    if machine not in _MACHINES:
        return None
    audit, refused, opening = _MACHINES[machine]
    program = [
        _instruction(_LOAD, _MACHINE_AT),
        _instruction(_EQUAL, audit, yes=1),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    for number in refused:
        program += [_instruction(_EQUAL, number, no=1), _instruction(_RETURN, _REFUSE)]
    for number, argument in opening.items():
        program += [
            _instruction(_EQUAL, number, no=4),
            _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument),
            _instruction(_ANY_BIT, _WRITING, no=1),
            _instruction(_RETURN, _REFUSE),
            _instruction(_RETURN, _ALLOW),
        ]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _address_space_bytes() -> int:
    """What is mapped already, libraries and the model, in bytes; 0 where it cannot be known."""
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * resource.getpagesize()
    return 0


def _lower(what: int, value: int) -> None:
    """Lower a limit; one that is lower already stays."""
    _, hard = resource.getrlimit(what)
    ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (ceiling, ceiling))


def confine(memory_bytes: int) -> bool:
    """Limit this process for good.

    Args:
        memory_bytes: address space it may add to what its libraries take.

    Returns:
        Whether the system call filter is in force too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _lower(resource.RLIMIT_AS, _address_space_bytes() + memory_bytes)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    program = filter_program(platform.machine())
    if program is None:
        return False
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    packed = _Program(len(program) // 8, program)
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(packed), 0, 0) == 0


def allow_cpu(seconds: int) -> None:
    """Give the next file its processor time; using it up ends the process with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
