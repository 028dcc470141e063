"""A network of its own with nothing but a loopback: programs that would call home cannot."""

import concurrent.futures
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def enter_loopback_namespace():
    """A network namespace belongs to a thread; the threads and processes that it starts inherit it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise PermissionError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
    with socket.socket() as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))


class LoopbackNamespace:
    """Runs functions in a thread whose network is a loopback only. Needs the right to make a namespace, as root has."""

    def __init__(self):
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def __enter__(self):
        self.run(enter_loopback_namespace)
        return self

    def __exit__(self, *error):
        self._thread.shutdown()

    def run(self, function, *arguments, **options):
        return self._thread.submit(function, *arguments, **options).result()


def can_make_namespaces():
    """Tried in a process of its own, so that this one stays where it is."""
    child = os.fork()
    if child == 0:
        try:
            enter_loopback_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
