# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user disk in a thread of the test, so that the test can make it lie.

It has one queue, and takes one request after the other. What it reads and writes
are the regions of memory that QEMU has sent it.
"""

import array
import mmap
import os
import selectors
import socket
import struct
import threading

# Requests of the protocol
GET_FEATURES, SET_FEATURES, SET_OWNER = 1, 2, 3
SET_MEM_TABLE = 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
GET_QUEUE_NUM, SET_VRING_ENABLE = 17, 18
GET_CONFIG = 24

HEADER = struct.Struct('<III')
VERSION, REPLY = 1, 4
NO_FD = 1 << 8

F_SEG_MAX, F_INDIRECT, F_PROTOCOL, F_VERSION_1, F_PACKED = 2, 28, 30, 32, 34
PROTOCOL_CONFIG = 9

DESC = struct.Struct('<QIHH')
NEXT, WRITE, INDIRECT = 1, 2, 4
# Of packed rings, whose descriptors end with id and flags
AVAIL, USED = 1 << 7, 1 << 15
IN, OUT, FLUSH, GET_ID = 0, 1, 4, 8
SECTOR = 512
SEG_MAX = 126


class Region:
    """Memory of the guest's, as it came."""

    def __init__(self, fields, fd):
        self.gpa, self.size, self.user, offset = fields
        # The offset need not be one that mmap takes.
        whole = mmap.mmap(fd, offset + self.size)
        self.mem = memoryview(whole)[offset:]
        os.close(fd)


class Element:
    """A request: its id, and where its descriptors are and point.

    slots  how many of a packed ring it takes
    """

    def __init__(self, ident=0):
        self.ident = ident
        self.slots = 0
        self.tables = []
        self.out = []
        self.into = []

    def add(self, disk, place, addr, size, flags):
        self.tables.append(place)
        if not flags & INDIRECT:
            parts = self.into if flags & WRITE else self.out
            parts.append(disk.at(addr, size))


class Disk(threading.Thread):
    """Serves the bytes of `data`; `path` is where QEMU is to connect.

    A test overrides used(), or answer(). Split and Packed have the rings.
    """

    features = (F_SEG_MAX, F_INDIRECT, F_PROTOCOL, F_VERSION_1)

    def __init__(self, folder, name, data):
        super().__init__(daemon=True)
        self.path = folder / f'{name}.sock'
        self.data = bytearray(data)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.selector = selectors.DefaultSelector()
        self.regions = []
        self.num = self.desc = self.avail = self.used_ring = 0
        self.kick = self.call = None
        self.served = 0
        self.failed = None

    # The protocol

    def run(self):
        try:
            self.serve()
        except ConnectionError:
            pass
        except Exception as error:
            self.failed = error
            raise

    def serve(self):
        conn, _ = self.listener.accept()
        self.listener.close()
        self.selector.register(conn, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is conn:
                    if not self.message(conn):
                        return
                elif key.fileobj == self.kick:
                    os.read(self.kick, 8)
                    self.requests()

    def message(self, conn):
        fds = array.array('i')
        data, control, _, _ = conn.recvmsg(HEADER.size,
                                           socket.CMSG_SPACE(8 * 4))
        if not data:
            return False
        for _, _, content in control:
            fds.frombytes(content)
        request, flags, size = HEADER.unpack(data)
        payload = conn.recv(size, socket.MSG_WAITALL) if size else b''
        answer = self.handle(request, payload, list(fds))
        if answer is not None:
            conn.sendall(HEADER.pack(request, VERSION | REPLY, len(answer))
                         + answer)
        return True

    def handle(self, request, payload, fds):
        """The answer's payload, or None."""
        if request == GET_FEATURES:
            return u64(sum(1 << bit for bit in self.features))
        if request == GET_PROTOCOL_FEATURES:
            return u64(1 << PROTOCOL_CONFIG)
        if request == GET_QUEUE_NUM:
            return u64(1)
        if request == GET_CONFIG:
            return self.config(payload)
        if request == SET_MEM_TABLE:
            self.regions = [
                Region(struct.unpack_from('<QQQQ', payload, 8 + 32 * i), fd)
                for i, fd in enumerate(fds)]
        elif request == SET_VRING_NUM:
            self.num = struct.unpack('<II', payload)[1]
        elif request == SET_VRING_ADDR:
            self.desc, self.used_ring, self.avail = struct.unpack_from(
                '<QQQ', payload, 8)
        elif request == SET_VRING_BASE:
            self.set_base(struct.unpack('<II', payload)[1])
        elif request == GET_VRING_BASE:
            self.watch(None)
            return struct.pack('<II', 0, self.base())
        elif request == SET_VRING_KICK:
            self.watch(None if u64_of(payload) & NO_FD else fds[0])
        elif request == SET_VRING_CALL:
            self.call = None if u64_of(payload) & NO_FD else fds[0]
        return None

    def config(self, payload):
        """struct virtio_blk_config with capacity and seg_max"""
        size = struct.unpack_from('<I', payload, 4)[0]
        config = struct.pack('<QII', len(self.data) // SECTOR, 0, SEG_MAX)
        return payload[:12] + config.ljust(size, b'\0')[:size]

    def watch(self, kick):
        if self.kick is not None:
            self.selector.unregister(self.kick)
            os.close(self.kick)
        self.kick = kick
        if kick is not None:
            self.selector.register(kick, selectors.EVENT_READ)

    # Memory

    def at(self, addr, size, user=False):
        """A view of memory at the address that a descriptor holds.

        user  that QEMU's own address is meant, as for rings
        """
        for region in self.regions:
            start = addr - (region.user if user else region.gpa)
            if 0 <= start and start + size <= region.size:
                return region.mem[start:start + size]
        raise ValueError(f'{size} bytes at {addr:#x} are not reached')

    def window(self):
        """The only region that there should be"""
        region, = self.regions
        return region

    def ring(self, what, offset, size):
        return self.at(what + offset, size, user=True)

    def table(self):
        """The descriptors of the ring"""
        return self.ring(self.desc, 0, self.num * DESC.size)

    def descriptor(self, i):
        return self.ring(self.desc, i * DESC.size, DESC.size)

    # Requests

    def answer(self, element):
        """Do what is asked for, and say so."""
        self.used(element, self.transfer(element))

    def transfer(self, element):
        """Returns how many bytes were written."""
        kind, _, sector = struct.unpack('<IIQ', element.out[0])
        at = sector * SECTOR
        *parts, status = element.into
        status[:] = b'\0'
        if kind == IN:
            for part in parts:
                part[:] = self.data[at:at + len(part)]
                at += len(part)
        elif kind == OUT:
            for part in element.out[1:]:
                self.data[at:at + len(part)] = part
                at += len(part)
        elif kind != FLUSH:
            status[:] = b'\2'
        return sum(map(len, parts)) + 1

    def used(self, element, written):
        self.push(element, (element.ident, written))

    def interrupt(self):
        if self.call is not None:
            os.write(self.call, u64(1))


class Split(Disk):
    """With a split ring"""

    last = 0

    def set_base(self, base):
        self.last = base

    def base(self):
        return self.last

    def rings(self):
        return [self.table(), self.ring(self.avail, 0, 6 + 2 * self.num),
                self.ring(self.used_ring, 0, 6 + 8 * self.num)]

    def load16(self, what, offset):
        return struct.unpack('<H', self.ring(what, offset, 2))[0]

    def requests(self):
        while self.load16(self.avail, 2) != self.last:
            head = self.load16(self.avail, 4 + 2 * (self.last % self.num))
            self.last = (self.last + 1) & 0xffff
            self.answer(self.element(head))
            self.served += 1

    def element(self, head):
        element = Element(head)
        table, index, flags = self.table(), head, NEXT
        while flags & NEXT:
            place = table[index * DESC.size:(index + 1) * DESC.size]
            addr, size, flags, index = DESC.unpack(place)
            element.add(self, place, addr, size, flags)
            if flags & INDIRECT:
                table, index, flags = self.at(addr, size), 0, NEXT
        return element

    def push(self, _, *used):
        """Used elements, as they are; then tell the driver."""
        index = self.load16(self.used_ring, 2)
        for ident, written in used:
            self.ring(self.used_ring, 4 + 8 * (index % self.num),
                      8)[:] = struct.pack('<II', ident, written)
            index = (index + 1) & 0xffff
        self.publish(index)

    def publish(self, index):
        self.ring(self.used_ring, 2, 2)[:] = struct.pack('<H', index)
        self.interrupt()


class Packed(Disk):
    """With a packed ring"""

    features = (*Disk.features, F_PACKED)
    # Place and wrap counter, for what comes and for what is used
    last, place = (0, 1), (0, 1)

    def set_base(self, base):
        self.last = base & 0x7fff, base >> 15 & 1
        self.place = base >> 16 & 0x7fff, base >> 31

    def base(self):
        return (self.last[0] | self.last[1] << 15
                | self.place[0] << 16 | self.place[1] << 31)

    def advance(self, place, slots):
        at, wrap = place
        at += slots
        return (at - self.num, wrap ^ 1) if at >= self.num else (at, wrap)

    def rings(self):
        return [self.table(), self.ring(self.avail, 0, 4),
                self.ring(self.used_ring, 0, 4)]

    def requests(self):
        while True:
            at, wrap = self.last
            flags = DESC.unpack(self.descriptor(at))[3]
            if bool(flags & AVAIL) != wrap or bool(flags & USED) == wrap:
                return
            element = self.element(at)
            self.last = self.advance(self.last, element.slots)
            self.answer(element)
            self.served += 1

    def element(self, at):
        element = Element()
        flags = NEXT
        while flags & NEXT:
            place = self.descriptor((at + element.slots) % self.num)
            addr, size, element.ident, flags = DESC.unpack(place)
            element.add(self, place, addr, size, flags)
            element.slots += 1
            if flags & INDIRECT:
                table = self.at(addr, size)
                for i in range(0, size, DESC.size):
                    inner = table[i:i + DESC.size]
                    addr, size, _, more = DESC.unpack(inner)
                    element.add(self, inner, addr, size, more)
        return element

    def push(self, element, *used):
        """The first in the place of the request, others behind it"""
        slots = element.slots
        for ident, written in used:
            at, wrap = self.place
            place = self.descriptor(at)
            place[8:14] = struct.pack('<IH', written, ident)
            place[14:] = struct.pack('<H', (AVAIL | USED) * wrap)
            self.place = self.advance(self.place, slots)
            slots = 1
        self.interrupt()


def u64(value):
    return struct.pack('<Q', value)


def u64_of(payload):
    return struct.unpack('<Q', payload)[0]
