# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user back end that only lets the device come up: no queue is served.

Each device gets a socket of its own, which any number of QEMUs may use in turn.
"""

import socket
import struct
import threading

HEADER = struct.Struct('<III')
REPLY, NEEDS_REPLY = 1 | 4, 8
GET_FEATURES, GET_VRING_BASE, GET_PROTOCOL_FEATURES = 1, 11, 15
GET_QUEUE_NUM, GET_CONFIG = 17, 24
# VERSION_1, ACCESS_PLATFORM, that there are protocol features, and what QEMU
# misses in a display: EDID
FEATURES = 1 << 32 | 1 << 33 | 1 << 30 | 1 << 1
# Several queues, replies, requests of the back end's own
PROTOCOL_FEATURES = 1 << 0 | 1 << 3 | 1 << 5
CONFIG = 1 << 9
QUEUES = 64


def receive(sock, size):
    data = b''
    while len(data) < size:
        piece, fds, _, _ = socket.recv_fds(sock, size - len(data), 8)
        if not piece:
            return None
        for fd in fds:
            socket.close(fd)
        data += piece
    return data


def answer(config, request, flags, payload):
    """What to reply, or None."""
    values = {GET_FEATURES: FEATURES, GET_QUEUE_NUM: QUEUES,
              GET_PROTOCOL_FEATURES:
                  PROTOCOL_FEATURES | (CONFIG if config else 0)}
    if request in values:
        return struct.pack('<Q', values[request])
    if request == GET_CONFIG:
        # Offset, size, flags, then as many bytes: a configuration of ones
        return payload[:12] + b'\1' * (len(payload) - 12)
    if request == GET_VRING_BASE:
        return payload
    return bytes(8) if flags & NEEDS_REPLY else None


def talk(sock, config):
    with sock:
        while header := receive(sock, HEADER.size):
            request, flags, size = HEADER.unpack(header)
            payload = receive(sock, size) if size else b''
            reply = answer(config, request, flags, payload)
            if reply is not None:
                sock.sendall(HEADER.pack(request, REPLY, len(reply)) + reply)


def serve(path, config):
    """Listen at `path` for the rest of the test.

    config  the back end has the device's configuration
    """
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=quietly, args=(sock, config),
                             daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def quietly(sock, config):
    """A QEMU that ends in the midst of a message is none of our business."""
    try:
        talk(sock, config)
    except OSError:
        pass
