# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparisons of our QEMU with the unmodified one share."""

import json
import os
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests/guest'))

from harness.tap import Tap  # noqa: E402,F401 pylint: disable=C0413,W0611


def qemu_builds(build):
    """QEMU's build folders: ours and the unmodified one."""
    build = os.path.realpath(build)
    return os.path.join(build, 'qemu'), os.path.join(build, 'stock/qemu')


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
