# SPDX-License-Identifier: GPL-2.0-or-later
"""A tap device with several queues, in a network namespace of its own.

Nothing of it shows in the host's network, and it needs no privileges where
user namespaces are allowed. It is gone when its last descriptor is closed.
"""

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 2, 0x1000, 0x100, 0x4000
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS = 0x8916, 0x891c, 0x8914
IFF_UP_RUNNING = 0x41
NAME = b'tap0'


class NoNetwork(Exception):
    """This host allows no tap device."""


def enter():
    """Leave the host's network; as root no user namespace is needed."""
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (CLONE_NEWNET, CLONE_NEWUSER | CLONE_NEWNET):
        if libc.unshare(flags) == 0:
            return
    raise NoNetwork(f'unshare: {os.strerror(ctypes.get_errno())}')


def open_taps(queues):
    flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR
    taps = []
    for _ in range(queues):
        taps.append(os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK))
        fcntl.ioctl(taps[-1], TUNSETIFF,
                    struct.pack('16sH22x', NAME, flags))
    return taps


def listen(address):
    """Give the interface its address, and listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SIOCSIFADDR, address),
                               (SIOCSIFNETMASK, '255.255.255.0')):
            fcntl.ioctl(control, request, struct.pack(
                '16sHH4s16x', NAME, socket.AF_INET, 0,
                socket.inet_aton(value)))
        fcntl.ioctl(control, SIOCSIFFLAGS,
                    struct.pack('16sH22x', NAME, IFF_UP_RUNNING))
    listener = socket.socket()
    listener.bind((address, 0))
    listener.listen(16)
    return listener


class TapNetwork:
    """`taps` for QEMU, and a `listener` at the address that slirp has too."""

    def __init__(self, queues, address='10.0.2.2'):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        child = os.fork()
        if not child:
            self.make(theirs, queues, address)
        theirs.close()
        message, fds, _, _ = socket.recv_fds(ours, 1024, queues + 1)
        os.waitpid(child, 0)
        ours.close()
        if not fds:
            raise NoNetwork(message.decode())
        self.taps = fds[:-1]
        self.listener = socket.socket(fileno=fds[-1])

    @staticmethod
    def make(sock, queues, address):
        """In a process of its own, whose network the descriptors keep."""
        try:
            enter()
            taps = open_taps(queues)
            listener = listen(address)
            socket.send_fds(sock, [b'ok'], [*taps, listener.fileno()])
        except (NoNetwork, OSError) as error:
            sock.sendall(str(error).encode())
        finally:
            os._exit(0)
