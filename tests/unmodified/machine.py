# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU that is driven by qtest and QMP."""

import json
import os
import socket
import struct
import subprocess

FW_CFG, FW_CFG_FILES = 0x510, 0x19


class Machine:
    """A QEMU whose devices the test drives by itself, without a guest."""

    def __init__(self, qemu_build, *args):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [os.path.join(qemu_build, 'qemu-system-x86_64'), '-display',
             'none', '-nodefaults', '-S', '-accel', 'qtest', '-qtest',
             'stdio', '-qtest-log', 'none', '-chardev',
             f'socket,id=qmp,fd={theirs.fileno()}', '-mon',
             'chardev=qmp,mode=control', *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            pass_fds=[theirs.fileno()])
        theirs.close()
        self.qmp_file = ours.makefile('rw', encoding='utf-8')
        self.read_qmp()
        self.qmp('qmp_capabilities')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.qmp_file.close()

    def read_qmp(self):
        line = self.qmp_file.readline()
        if not line:
            raise RuntimeError('QEMU ended: '
                               f'status {self.process.wait(timeout=30)}')
        return json.loads(line)

    def qmp(self, command, **arguments):
        json.dump({'execute': command, 'arguments': arguments}, self.qmp_file)
        self.qmp_file.flush()
        while True:
            answer = self.read_qmp()
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")

    def hmp(self, line):
        return self.qmp('human-monitor-command', **{'command-line': line})

    def qtest(self, *words):
        """One request of the qtest protocol; the words of its answer."""
        self.process.stdin.write(' '.join(
            hex(w) if isinstance(w, int) else w for w in words) + '\n')
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline().split()
            if answer[:1] == ['OK']:
                return answer[1:]
            if answer[:1] != ['IRQ']:
                raise RuntimeError(f'qtest {words}: {answer}')

    def inl(self, port):
        return int(self.qtest('inl', port)[0], 0)

    def outl(self, port, value):
        self.qtest('outl', port, value)

    def readl(self, address):
        return int(self.qtest('readl', address)[0], 0)

    def writel(self, address, value):
        self.qtest('writel', address, value)

    def read_bytes(self, address, size):
        return bytes.fromhex(self.qtest('read', address, size)[0][2:])

    def fw_cfg(self, name):
        """The content of a file that QEMU has for firmware."""
        def read(selector, size):
            self.qtest('outw', FW_CFG, selector)
            return bytes(int(self.qtest('inb', FW_CFG + 1)[0], 0)
                         for _ in range(size))

        count = struct.unpack('>I', read(FW_CFG_FILES, 4))[0]
        files = read(FW_CFG_FILES, 4 + 64 * count)[4:]
        for entry in struct.iter_unpack('>IHH56s', files):
            if entry[3].rstrip(b'\0').decode() == name:
                return read(entry[1], entry[0])
        raise RuntimeError(f'no file {name} for firmware')
