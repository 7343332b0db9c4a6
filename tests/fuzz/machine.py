# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU without a CPU: its qtest and QMP sockets, its RAM, its PCI bus."""

import collections
import ctypes
import glob
import json
import mmap
import os
import socket
import subprocess
import time

MIB = 1 << 20
RAM_SIZE = 32 * MIB
DEADLINE = 60
BRIDGE_MEMORY = (0xc0000000, 0xfea00000)

memcmp = ctypes.CDLL(None).memcmp
memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


class Gone(Exception):
    """QEMU has ended or does not answer any more."""


def map_file(path, size):
    with open(path, 'r+b') as file:
        return mmap.mmap(file.fileno(), size)


def address_of(area):
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


class Qtest:
    """Sends commands ahead of their answers, for speed."""

    def __init__(self, sock):
        sock.settimeout(DEADLINE)
        self.sock = sock
        self.lines = sock.makefile('rb')
        self.batch = []
        self.commands = 0

    def send(self, command):
        self.batch.append(command)
        if len(self.batch) >= 64:
            self.flush()

    def flush(self):
        answer = None
        if not self.batch:
            return answer
        try:
            self.sock.sendall(('\n'.join(self.batch) + '\n').encode())
            for command in self.batch:
                answer = self.lines.readline().decode().split()
                if not answer:
                    raise Gone(f'no answer to {command}')
                if answer[0] != 'OK':
                    raise ValueError(f'{command}: {answer}')
        except OSError as error:
            raise Gone(f'qtest: {error}') from error
        self.commands += len(self.batch)
        self.batch = []
        return answer

    def ask(self, command):
        self.batch.append(command)
        return self.flush()

    def write(self, address, size, value):
        self.send(f'write{"?bw?l???q"[size]} {address:#x} {value:#x}')

    def read(self, address, size):
        return int(self.ask(f'read{"?bw?l???q"[size]} {address:#x}')[1], 16)

    def out(self, port, size, value):
        self.send(f'out{"?bw?l"[size]} {port:#x} {value:#x}')

    def inp(self, port, size):
        return int(self.ask(f'in{"?bw?l"[size]} {port:#x}')[1], 16)


class Qmp:
    def __init__(self, sock):
        sock.settimeout(DEADLINE)
        self.sock = sock
        self.lines = sock.makefile('rb')
        self.events = collections.deque(maxlen=1000)
        self.receive()
        self.run('qmp_capabilities')

    def receive(self):
        try:
            line = self.lines.readline()
        except OSError as error:
            raise Gone(f'QMP: {error}') from error
        if not line:
            raise Gone('QMP: closed')
        return json.loads(line)

    def ask(self, command, **arguments):
        """The answer: an object with 'return' or with 'error'."""
        text = json.dumps({'execute': command, 'arguments': arguments})
        try:
            self.sock.sendall(text.encode())
        except OSError as error:
            raise Gone(f'QMP: {error}') from error
        while True:
            answer = self.receive()
            if 'event' not in answer:
                return answer
            self.events.append(answer)

    def run(self, command, **arguments):
        answer = self.ask(command, **arguments)
        if 'error' in answer:
            raise ValueError(f'{command}: {answer["error"]["desc"]}')
        return answer['return']

    def seen(self, name, data):
        """Whether such an event has come since they were cleared."""
        self.run('query-status')
        return any(event['event'] == name and
                   data.items() <= event.get('data', {}).items()
                   for event in self.events)


class Machine:
    """pc or q35, with every byte of its RAM known in a mirror."""

    def __init__(self, qemu, folder, kind, secret, arguments):
        self.kind = kind
        self.folder = folder
        self.trace = collections.deque(maxlen=60)
        self.mirror = mmap.mmap(-1, RAM_SIZE)
        self.mirror[:] = secret * (RAM_SIZE // len(secret))
        self.make_file('ram', self.mirror)
        self.make_file('bios', bytes(MIB // 4))
        self.ram = map_file(self.path('ram'), RAM_SIZE)
        servers = []
        for name in ('qtest', 'qmp'):
            server = socket.socket(socket.AF_UNIX)
            server.bind(self.path(name))
            server.listen()
            server.settimeout(DEADLINE)
            servers.append(server)
        self.stderr = open(self.path('stderr'), 'w+b')
        self.command = [
            qemu, '-accel', 'qtest', '-qtest', 'unix:' + self.path('qtest'),
            '-qtest-log', '/dev/null', '-qmp', 'unix:' + self.path('qmp'),
            '-nodefaults', '-display', 'none', '-bios', self.path('bios'),
            '-machine', kind + ',memory-backend=ram',
            '-m', f'{RAM_SIZE // MIB}M',
            '-object', f'memory-backend-file,id=ram,size={RAM_SIZE},'
                       f'share=on,mem-path={self.path("ram")}', *arguments]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.stderr,
            stderr=self.stderr)
        try:
            self.qtest = Qtest(self.accept(servers[0]))
            self.qmp = Qmp(self.accept(servers[1]))
        finally:
            for server in servers:
                server.close()

    def accept(self, server):
        """QEMU may end by an error in its arguments instead."""
        server.settimeout(0.2)
        for _ in range(DEADLINE * 5):
            try:
                return server.accept()[0]
            except TimeoutError:
                if self.process.poll() is not None:
                    break
        with open(self.path('stderr')) as file:
            raise Gone('QEMU did not start: ' + file.read().strip())

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_file(self, name, content):
        with open(self.path(name), 'wb') as file:
            file.write(content)

    def stop(self):
        """Its exit status, or none if it does not end when asked to."""
        try:
            self.qmp.sock.sendall(b'{"execute": "quit"}')
        except (AttributeError, OSError):
            pass
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def complaints(self):
        """What only a failing program prints.

        QEMU itself says of bad rings that they may be corrupted.
        """
        self.stderr.flush()
        with open(self.path('stderr'), 'rb') as file:
            text = file.read().decode(errors='replace')
        signs = ('Assertion', 'assert', 'abort', 'corruption',
                 'corrupted size', 'corrupted double-linked', 'Sanitizer',
                 'double free', 'free()', 'malloc', 'stack smashing',
                 'runtime error', 'CRITICAL')
        return [line for line in text.splitlines()
                if any(sign in line for sign in signs)]

    def wait(self, condition, seconds=10):
        """Poll while QEMU's main loop turns."""
        end = time.monotonic() + seconds
        pause = 0
        while not condition():
            if time.monotonic() > end:
                return False
            self.qtest.ask('clock_step 100000')
            time.sleep(pause)
            pause = min(pause + 0.0001, 0.01)
        return True

    def write_ram(self, address, data):
        """As the guest's CPU: a change that the mirror knows of."""
        self.ram[address:address + len(data)] = data
        self.mirror[address:address + len(data)] = data

    def changed_ram(self):
        """The address of the first byte that no CPU wrote, or none."""
        one, two = address_of(self.ram), address_of(self.mirror)
        if not memcmp(one, two, RAM_SIZE):
            return None
        for start in range(0, RAM_SIZE, 4096):
            if memcmp(one + start, two + start, 4096):
                page = zip(self.ram[start:start + 4096],
                           self.mirror[start:start + 4096])
                return start + [a == b for a, b in page].index(False)
        return None

    def open_files(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def memfds(self, size):
        """Paths of the memfds of a size: windows without a memdev."""
        found = {}
        for path in glob.glob(f'/proc/{self.process.pid}/fd/*'):
            try:
                file = os.stat(path)
                if (os.readlink(path).startswith('/memfd:') and
                        file.st_size == size):
                    found[file.st_ino] = path
            except FileNotFoundError:
                pass
        return list(found.values())

    def set_up_bridges(self, bridges):
        """Number their buses from 1 on and let all addresses pass."""
        for index, bridge in enumerate(bridges):
            bridge.write(0x18, 4, (index + 1) << 16 | (index + 1) << 8)
            bridge.write(0x20, 2, BRIDGE_MEMORY[0] >> 16)
            bridge.write(0x22, 2, BRIDGE_MEMORY[1] - 1 >> 16)
            bridge.write(0x24, 4, 0xfff10001)
            bridge.write(0x28, 4, 0)
            bridge.write(0x2c, 4, 0x7fffffff)
            bridge.write(4, 2, 7)


class Function:
    """A PCI function's configuration space."""

    def __init__(self, machine, bus, slot):
        self.machine = machine
        self.address = 1 << 31 | bus << 16 | slot << 11

    def write(self, offset, size, value):
        qtest = self.machine.qtest
        qtest.out(0xcf8, 4, self.address | offset & 0xfc)
        qtest.out(0xcfc + (offset & 3), size, value & (1 << size * 8) - 1)

    def read(self, offset, size):
        qtest = self.machine.qtest
        qtest.out(0xcf8, 4, self.address | offset & 0xfc)
        return qtest.inp(0xcfc + (offset & 3), size)

    def capabilities(self):
        """(id, offset) of each."""
        found = []
        offset = self.read(0x34, 1)
        while offset and len(found) < 48:
            found.append((self.read(offset, 1), offset))
            offset = self.read(offset + 1, 1)
        return found

    def capability(self, wanted):
        return next((at for kind, at in self.capabilities()
                     if kind == wanted), None)
