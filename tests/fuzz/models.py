# SPDX-License-Identifier: GPL-2.0-or-later
"""What each type of virtio device is asked to do, and what shows its work."""

import dataclasses
import json
import os
import socket
import struct
import typing
import zlib

from machine import MIB, map_file

DISK_SIZE = 1 << 20
SECTORS = DISK_SIZE // 512


@dataclasses.dataclass
class Request:
    queue: int
    outputs: list
    inputs: list
    check: typing.Callable = lambda answers: True
    provoke: typing.Callable = lambda: None
    copies: int = 1


def as_json(properties):
    return json.dumps(properties)


def noise(rng, length):
    """Random bytes with no zero among them."""
    return rng.randbytes(length).replace(b'\0', b'\1')


class Model:
    """One device type, with its backend."""

    type = None
    options = {}
    queues = (0,)
    features = 0
    removable = True

    def __init__(self, folder, index):
        self.id = f'd{index}'
        self.path = os.path.join(folder, f'backend{index}')

    def prepare(self, rng):
        """Make what QEMU opens."""

    def arguments(self):
        return []

    def children(self):
        """Devices on the bus of this one."""
        return []

    def attach(self, machine):
        self.machine = machine

    def drain(self):
        """Take in what the device has sent to its backend."""

    def state(self):
        """A value that changes when the backend is reached."""
        self.drain()

    def output(self):
        """All bytes that the device has given to its backend."""
        return b''

    def forget(self):
        """The output so far has been looked at."""

    def request(self, rng):
        raise NotImplementedError


class Disk(Model):
    def prepare(self, rng):
        with open(self.path, 'wb') as file:
            file.write(noise(rng, DISK_SIZE))
        self.disk = map_file(self.path, DISK_SIZE)

    def arguments(self):
        return ['-blockdev', f'file,node-name={self.id}-disk,'
                             f'filename={self.path},locking=off']

    def state(self):
        return zlib.crc32(self.disk)

    def output(self):
        return self.disk

    def sectors(self, rng):
        count = rng.choice((1, 1, 2, 8))
        first = rng.randrange(SECTORS - count)
        return first, count, slice(first * 512, (first + count) * 512)


class Blk(Disk):
    type = 'virtio-blk-pci'
    queues = (0, 1, 2, 3)
    features = 1 << 12

    def __init__(self, folder, index):
        super().__init__(folder, index)
        # The disk can get zeros from a window only.
        self.options = {'drive': self.id + '-disk', 'num-queues': 4,
                        'discard': False, 'write-zeroes': False}

    def request(self, rng):
        first, _, place = self.sectors(rng)
        queue = rng.choice(self.queues)
        if rng.random() < 0.5:
            return Request(
                queue, [struct.pack('<IIQ', 0, 0, first)],
                [place.stop - place.start, 1],
                lambda answers: answers == [self.disk[place], b'\0'])
        data = noise(rng, place.stop - place.start)
        return Request(
            queue, [struct.pack('<IIQ', 1, 0, first), data], [1],
            lambda answers: answers == [b'\0'] and self.disk[place] == data)


class BlkThread(Blk):
    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.options['iothread'] = self.id + '-thread'

    def arguments(self):
        return super().arguments() + ['-object',
                                      f'iothread,id={self.id}-thread']


class Scsi(Disk):
    type = 'virtio-scsi-pci'
    options = {'num_queues': 2}
    queues = (0, 1, 2, 3)

    def children(self):
        return [{'driver': 'scsi-hd', 'bus': self.id + '.0',
                 'id': self.id + '-hd', 'drive': self.id + '-disk'}]

    def request(self, rng):
        first, count, place = self.sectors(rng)
        write = rng.random() < 0.5
        command = struct.pack('>BBIBHB', 0x2a if write else 0x28, 0, first, 0,
                              count, 0)
        header = struct.pack('<BBHIQBBB32s', 1, 0, 0x40, 0, 1, 0, 0, 0, command)
        queue = rng.choice((2, 3))
        # A unit attention after a reset is as good an answer.
        if write:
            data = noise(rng, count * 512)
            return Request(
                queue, [header, data], [108],
                lambda answers: not answers[0][11] and
                (answers[0][10] == 2 or self.disk[place] == data))
        return Request(
            queue, [header], [108, count * 512],
            lambda answers: not answers[0][11] and
            (answers[0][10] == 2 or self.disk[place] == answers[1]))


class Rng(Model):
    type = 'virtio-rng-pci'

    def __init__(self, folder, index):
        super().__init__(folder, index)
        # QEMU makes as much entropy as it is asked for, at each kick.
        self.options = {'rng': self.id + '-rng', 'max-bytes': 4 * MIB,
                        'period': 1}

    def arguments(self):
        return ['-object', f'rng-builtin,id={self.id}-rng']

    def request(self, rng):
        return Request(0, [], [rng.randrange(8, 100)],
                       lambda answers: any(answers[0]))


class Net(Model):
    """Frames are datagrams of a pair of sockets."""

    type = 'virtio-net-pci'
    queues = (0, 1, 2)
    features = 1 << 15

    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.options = {'netdev': self.id + '-net', 'romfile': ''}
        self.received = bytearray()

    def prepare(self, rng):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def arguments(self):
        return ['-netdev', f'dgram,id={self.id}-net,local.type=unix,'
                           f'local.path={self.path}-qemu,'
                           f'remote.type=unix,remote.path={self.path}']

    def drain(self):
        try:
            while True:
                self.received += self.socket.recv(1 << 17)
        except BlockingIOError:
            pass

    def state(self):
        self.drain()
        return len(self.received)

    def output(self):
        self.drain()
        return self.received

    def forget(self):
        del self.received[:-16]

    def send(self, frame):
        try:
            self.socket.sendto(frame, self.path + '-qemu')
        except (BlockingIOError, FileNotFoundError, ConnectionRefusedError):
            pass

    def request(self, rng):
        frame = b'\xff' * 6 + noise(rng, rng.randrange(60, 900))
        if rng.random() < 0.5:
            return Request(0, [], [12, 1600], lambda answers: any(answers[1]),
                           lambda: self.send(frame))
        return Request(
            1, [bytes(12), frame], [],
            lambda answers: self.machine.wait(
                lambda: self.output().endswith(frame), 2))


class Console(Model):
    type = 'virtio-serial-pci'
    options = {'max_ports': 1}
    queues = (0, 1, 2, 3)

    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.received = bytearray()

    def prepare(self, rng):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen()

    def arguments(self):
        return ['-chardev', f'socket,id={self.id}-file,path={self.path}']

    def children(self):
        return [{'driver': 'virtconsole', 'bus': self.id + '.0',
                 'id': self.id + '-console', 'chardev': self.id + '-file'}]

    def attach(self, machine):
        super().attach(machine)
        self.socket, _ = self.server.accept()
        self.socket.setblocking(False)

    def drain(self):
        try:
            while True:
                data = self.socket.recv(1 << 16)
                if not data:
                    break
                self.received += data
        except BlockingIOError:
            pass

    def state(self):
        self.drain()
        return len(self.received)

    def output(self):
        self.drain()
        return self.received

    def forget(self):
        del self.received[:-16]

    def send(self, data):
        try:
            self.socket.send(data)
        except BlockingIOError:
            pass

    def request(self, rng):
        text = noise(rng, rng.randrange(16, 200))
        if rng.random() < 0.5:
            return Request(0, [], [64], lambda answers: any(answers[0]),
                           lambda: self.send(text[:16]))
        return Request(
            1, [text], [],
            lambda answers: self.machine.wait(
                lambda: self.output().endswith(text), 2))


class NineP(Model):
    type = 'virtio-9p-pci'

    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.options = {'fsdev': self.id + '-fs', 'mount_tag': 'tag'}

    def prepare(self, rng):
        os.mkdir(self.path)

    def arguments(self):
        return ['-fsdev', f'local,id={self.id}-fs,path={self.path},'
                          'security_model=none']

    def request(self, rng):
        version = b'9P2000.L'
        body = struct.pack('<BHIH', 100, 0xffff, 8192, len(version)) + version
        return Request(0, [struct.pack('<I', len(body) + 4) + body], [128],
                       lambda answers: answers[0][4] == 101)


class Gpu(Model):
    type = 'virtio-gpu-pci'
    removable = False
    queues = (0, 1)

    def request(self, rng):
        return Request(0, [struct.pack('<IIQII', 0x100, 0, 0, 0, 0)], [408],
                       lambda answers: answers[0][:4] == b'\x01\x11\0\0')

    @staticmethod
    def commands(entries):
        """Show the picture whose lines are at (address, length) pairs."""
        header = lambda code: struct.pack('<IIQII', code, 0, 0, 0, 0)
        box = struct.pack('<IIII', 0, 0, 64, 64)
        return [
            header(0x102) + struct.pack('<II', 1, 0),
            header(0x101) + struct.pack('<IIII', 1, 2, 64, 64),
            header(0x106) + struct.pack('<II', 1, len(entries)) + b''.join(
                struct.pack('<QII', *entry, 0) for entry in entries),
            header(0x103) + box + struct.pack('<II', 0, 1),
            header(0x105) + box + struct.pack('<QII', 0, 1, 0),
            header(0x104) + box + struct.pack('<II', 1, 0)]

    def screen(self):
        """The bytes that the picture was made of, without every fourth."""
        path = self.path + '.ppm'
        self.machine.qmp.run('screendump', filename=path, device=self.id)
        with open(path, 'rb') as file:
            pixels = bytearray(file.read().split(b'255\n', 1)[1])
        pixels[0::3], pixels[2::3] = pixels[2::3], pixels[0::3]
        return bytes(pixels)


class Crypto(Model):
    type = 'virtio-crypto-pci'
    queues = (0, 1)

    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.options = {'cryptodev': self.id + '-crypto'}

    def arguments(self):
        return ['-object', f'cryptodev-backend-builtin,id={self.id}-crypto']

    def request(self, rng):
        control = struct.pack('<IIIIIIII32xII', 2, 3, 0, 0, 3, 16, 1, 0, 1, 0)
        return Request(1, [control + noise(rng, 16)], [16])


class Sound(Model):
    type = 'virtio-sound-pci'
    queues = (0, 1, 2, 3)

    def __init__(self, folder, index):
        super().__init__(folder, index)
        self.options = {'audiodev': self.id + '-audio'}

    def arguments(self):
        return ['-audiodev', f'wav,id={self.id}-audio,path={self.path}']

    def output(self):
        try:
            with open(self.path, 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return b''

    def request(self, rng):
        return Request(0, [struct.pack('<IIII', 0x100, 0, 1, 32)], [4, 32],
                       lambda answers: answers[0] == b'\0\x80\0\0')

    @staticmethod
    def commands():
        """Set up stream 0, an output, and let it play."""
        return [struct.pack('<IIIIIBBBB', 0x101, 0, 8192, 4096, 0, 2, 5, 7, 0),
                struct.pack('<II', 0x102, 0), struct.pack('<II', 0x104, 0)]


class Keyboard(Model):
    type = 'virtio-keyboard-pci'
    queues = (0, 1)

    def press(self):
        for down in (True, False):
            self.machine.qmp.run('input-send-event', events=[{
                'type': 'key', 'data': {
                    'down': down, 'key': {'type': 'qcode', 'data': 'a'}}}])

    def request(self, rng):
        if rng.random() < 0.3:
            return Request(1, [struct.pack('<HHI', 0x11, 0, 1)], [])
        return Request(0, [], [8], lambda answers: answers[0][:2] == b'\1\0',
                       self.press, copies=8)


class Tablet(Keyboard):
    type = 'virtio-tablet-pci'

    def press(self):
        self.place = getattr(self, 'place', 0) + 1
        self.machine.qmp.run('input-send-event', events=[{
            'type': 'abs', 'data': {'axis': axis,
                                    'value': self.place * 37 % 0x7fff}}
            for axis in ('x', 'y')])

    def request(self, rng):
        return Request(0, [], [8], lambda answers: answers[0][:2] == b'\3\0',
                       self.press, copies=8)


SETS = {
    'storage': (Blk, BlkThread, Scsi, NineP),
    'streams': (Net, Console, Rng, Crypto, Blk),
    'media': (Gpu, Sound, Keyboard, Tablet, Rng),
}
