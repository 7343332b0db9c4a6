# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest: QEMU, its monitor, the kernel's console, a command line.

All three channels are socket pairs that QEMU inherits: no path to collide, no
port to be reached from elsewhere. Every wait has a deadline, and ends at once
when QEMU dies or the guest's kernel complains.
"""

import json
import os
import re
import selectors
import socket
import subprocess
import time

# What a healthy kernel never prints; the last lines are lockdep's, the DMA
# API's and kmemleak's.
TROUBLE = re.compile(
    r'BUG:|WARNING: .*CPU[#:]|Oops|Call Trace|general protection|Kernel panic|'
    r'blocked for more than|self-detected stall|detected stalls|soft lockup|'
    r'I/O error|EXT4-fs error|Unable to handle|buffer is full|'
    r'Cannot map desc|KASAN|refcount_t:|were not freed by the driver|'
    r'WARNING: (?:possible|inconsistent|suspicious|bad|Nested)|'
    r'trying to register non-static key|DEBUG_LOCKS_WARN_ON|'
    r'DMA-API: \S+ [\w:.]+: |new suspected memory leaks')

# Slow machines need longer for the same.
PATIENCE = float(os.environ.get('GUEST_PATIENCE', '1'))


class MachineError(Exception):
    pass


class Channel:
    """One end of a socket pair whose other end QEMU inherits."""

    def __init__(self):
        self.here, self.there = socket.socketpair()
        self.here.setblocking(False)
        self.buffer = bytearray()
        self.open = True

    def drain(self):
        """Take over what is there to read."""
        try:
            while data := self.here.recv(65536):
                self.buffer += data
            self.open = False
        except BlockingIOError:
            pass
        except ConnectionError:
            self.open = False

    def line(self):
        """A whole line, or None."""
        end = self.buffer.find(b'\n')
        if end < 0:
            return None
        line = bytes(self.buffer[:end]).decode(errors='replace').rstrip('\r')
        del self.buffer[:end + 1]
        return line

    def send(self, data):
        self.here.setblocking(True)
        self.here.sendall(data)
        self.here.setblocking(False)


def boot(build, kernel, initramfs, append='', loglevel=6):
    """QEMU's arguments to boot a kernel."""
    args = []
    for folder in build.firmware(kernel.arch):
        args += ['-L', str(folder)]
    # A busy host makes the kernel's check of its timer fail under TCG, what it
    # measures of the CPU wrong, and its clocks fast: what it takes for a stall
    # is none.
    line = (f'console={kernel.arch.console} panic=-1 {kernel.arch.line} '
            'lpj=4000000 watchdog_thresh=60 '
            'rcupdate.rcu_cpu_stall_timeout=120 '
            f'loglevel={loglevel} {append}').strip()
    return args + ['-kernel', str(kernel.image), '-initrd', str(initramfs),
                   '-append', line]


class Qemu:
    """A running QEMU and its monitor; use it in a `with` statement.

    incoming  where the machine comes from, as for -incoming
    qemu      another program than that of the build
    """

    CHANNELS = ('qmp',)

    def __init__(self, build, folder, args, *, name='qemu', machine='q35',
                 deadline=120, fds=(), wrapper=(), incoming=(), qemu=None):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f'{name}-{os.getpid()}.log'
        self.end = time.monotonic() + deadline * PATIENCE
        self.console_text = ''
        self.expected = None
        self.events = []
        self.socket = {n: Channel() for n in self.CHANNELS}
        self.argv = [
            *wrapper, str(qemu or build.qemu()), '-machine', machine,
            '-nodefaults', '-no-user-config', '-display', 'none',
            '-d', 'guest_errors', '-D', str(self.log)]
        for name, channel in self.socket.items():
            self.argv += ['-chardev', f'socket,id={name},'
                          f'fd={channel.there.fileno()}']
        self.argv += ['-mon', 'chardev=qmp,mode=control', *args]
        for channel in incoming:
            self.argv += ['-incoming', channel]
        self.fds = list(fds)
        self.process = None

    def __enter__(self):
        self.launch()
        try:
            self.meet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def launch(self):
        """Start QEMU."""
        self.stderr = self.log.with_suffix('.stderr').open('w+b')
        fds = self.fds + [c.there.fileno() for c in self.socket.values()]
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=self.stderr,
            stderr=self.stderr, pass_fds=fds)
        for channel in self.socket.values():
            channel.there.close()

    def meet(self):
        """Talk to its monitor."""
        self.wait_for(self.greeting, 60, 'QEMU to answer')
        self.qmp('qmp_capabilities')

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.poll()
        self.stderr.close()
        for channel in self.socket.values():
            channel.here.close()
        for path in (self.log, self.log.with_suffix('.stderr')):
            path.unlink(missing_ok=True)

    # Waiting

    def poll(self, pause=0):
        """Move what the channels hold; wait for up to `pause` seconds."""
        with selectors.DefaultSelector() as selector:
            for channel in self.socket.values():
                if channel.open:
                    selector.register(channel.here, selectors.EVENT_READ)
            if selector.get_map():
                selector.select(pause)
            elif pause:
                time.sleep(pause)
        for channel in self.socket.values():
            if channel.open:
                channel.drain()
        if console := self.socket.get('console'):
            self.console_text += console.buffer.decode(errors='replace')
            console.buffer.clear()

    def trouble(self):
        """Lines of the console that a healthy kernel never prints."""
        return [line for line in self.console_text.splitlines()
                if TROUBLE.search(line)
                and not (self.expected and self.expected.search(line))]

    def expect_trouble(self, pattern):
        """Console lines that this guest is being provoked to print."""
        self.expected = re.compile(pattern)

    def fail(self, reason):
        raise MachineError(f'{reason}\n{self.report()}')

    def report(self, lines=80):
        """What QEMU said, and the end of the console."""
        text = []
        for path in (self.log.with_suffix('.stderr'), self.log):
            if path.exists():
                text += [f'qemu: {line}' for line in
                         path.read_text(errors='replace').splitlines()[-10:]]
        text += [f'console: {line}' for line in
                 self.console_text.splitlines()[-lines:]]
        return '\n'.join(text)

    def wait_for(self, condition, seconds, what):
        """Return the first result of `condition` that is not None."""
        until = min(time.monotonic() + seconds * PATIENCE, self.end)
        while True:
            self.poll()
            got = condition()
            if got is not None:
                return got
            if self.process.poll() is not None:
                self.fail(f'QEMU ended with status {self.process.returncode} '
                          f'while waiting for {what}')
            if self.trouble():
                self.hear_out()
                self.fail(f'the guest\'s kernel complains: '
                          f'{self.trouble()[0]}')
            if time.monotonic() > until:
                self.fail(f'timed out waiting for {what}')
            self.poll(0.2)

    def hear_out(self, seconds=10):
        """Wait until the kernel has said all that it has to say."""
        until = time.monotonic() + seconds
        heard = None
        while heard != self.console_text and time.monotonic() < until:
            heard = self.console_text
            self.poll(1)

    # QMP

    def greeting(self):
        return self.socket['qmp'].line()

    def answer(self):
        line = self.socket['qmp'].line()
        while line is not None:
            message = json.loads(line)
            if 'event' in message:
                self.events.append(message)
            else:
                return message
            line = self.socket['qmp'].line()
        return None

    def ask(self, command, arguments):
        """The monitor's answer: an object with 'return' or with 'error'."""
        request = {'execute': command, 'arguments': arguments}
        self.socket['qmp'].send(json.dumps(request).encode() + b'\n')
        return self.wait_for(self.answer, 20, command)

    def qmp(self, command, **arguments):
        """The answer to a monitor command; MachineError for an error."""
        message = self.ask(command, {
            k.replace('_', '-'): v for k, v in arguments.items()})
        if 'error' in message:
            raise MachineError(f"{command}: {message['error']['desc']}")
        return message['return']

    def hmp(self, line):
        return self.qmp('human-monitor-command', command_line=line)

    def event(self, name, seconds, **data):
        """Wait for an event whose data include `data`."""
        def look():
            line = self.socket['qmp'].line()
            while line is not None:
                self.events.append(json.loads(line))
                line = self.socket['qmp'].line()
            for event in self.events:
                got = event.get('data', {})
                if event['event'] == name and data.items() <= got.items():
                    return event
            return None
        return self.wait_for(look, seconds, f'event {name}')

    def device(self, qdev_id):
        """query-pci's view of a device."""
        def search(devices):
            for device in devices:
                if device['qdev_id'] == qdev_id:
                    return device
                below = device.get('pci_bridge', {}).get('devices', [])
                if found := search(below):
                    return found
            return None
        for bus in self.qmp('query-pci'):
            if found := search(bus['devices']):
                return found
        raise MachineError(f'no PCI device {qdev_id}')

    def address(self, qdev_id):
        """The guest's name of a PCI device."""
        device = self.device(qdev_id)
        return (f"0000:{device['bus']:02x}:{device['slot']:02x}."
                f"{device['function']}")

    def property(self, qdev_id, name):
        return self.qmp('qom-get', path=f'/machine/peripheral/{qdev_id}',
                        property=name)

    def rejected(self, qdev_id):
        """How many accesses of a device were refused."""
        return self.property(qdev_id, 'swiotlb-rejected')

    def memory(self, address, size):
        """Guest memory, as the host finds it."""
        path = self.log.with_suffix('.memory')
        self.qmp('pmemsave', val=address, size=size, filename=str(path))
        data = path.read_bytes()
        path.unlink()
        return data

    def complaints(self):
        """What QEMU said."""
        return self.log.with_suffix('.stderr').read_text(errors='replace')


class Machine(Qemu):
    """A running guest.

    boots  False if there is nothing to wait for once QEMU runs
    """

    CHANNELS = ('console', 'command', 'qmp')

    def __init__(self, build, kernel, initramfs, args, *, memory='512M',
                 cpus=1, append='', reboot=False, boots=True, incoming=(),
                 **options):
        self.boots = boots and not incoming
        args = ['-m', memory, '-smp', str(cpus),
                *kernel.arch.accelerator(),
                '-serial', 'chardev:console', '-serial', 'chardev:command',
                *([] if reboot else ['-no-reboot']),
                *boot(build, kernel, initramfs, append), *args]
        super().__init__(build, build.scratch / kernel.version, args,
                         **{'name': 'guest', 'incoming': incoming,
                            'machine': kernel.arch.machine,
                            'qemu': build.qemu(kernel.arch), **options})

    def meet(self):
        super().meet()
        if self.boots:
            self.wait_for(self.ready, 90, 'the guest to boot')

    # The guest's command line

    def ready(self):
        line = self.socket['command'].line()
        while line is not None:
            if line.startswith('READY '):
                return line
            line = self.socket['command'].line()
        return None

    def start(self, command):
        """Send a command; finish() waits for it."""
        self.socket['command'].send(command.encode() + b'\n')

    def finish(self, seconds=60, what='the guest'):
        """The status and the output lines of the command sent last."""
        lines = []

        def ended():
            line = self.socket['command'].line()
            while line is not None:
                if re.fullmatch(r'END \d+', line):
                    return int(line.split()[1])
                lines.append(line)
                line = self.socket['command'].line()
            return None

        try:
            status = self.wait_for(ended, seconds, what)
        except MachineError as error:
            said = '\n'.join(f'guest: {line}' for line in lines)
            raise MachineError(f'{error}\n{said}') from error
        return status, lines

    def run(self, command, seconds=60):
        """The status and the output lines of a command in the guest."""
        self.start(command)
        return self.finish(seconds, f'`{command[:60]}`')

    def must(self, command, seconds=60):
        """The output lines of a command that has to succeed."""
        status, lines = self.run(command, seconds)
        if status:
            self.fail(f'`{command}` ended with {status}: ' + ' / '.join(lines))
        return lines

    def dmesg(self):
        return '\n'.join(self.must('dmesg'))

    def guest_errors(self):
        """What QEMU logged about the guest's doings."""
        return self.log.read_text(errors='replace') if self.log.exists() else ''

    def reset(self):
        """Reset the machine and boot the guest again."""
        self.qmp('system_reset')
        self.socket['command'].buffer.clear()
        self.wait_for(self.ready, 90, 'the guest to boot again')

    def poweroff(self):
        """Let the guest end, so that all it wrote is on the disks."""
        self.start('sync; poweroff -f')
        self.process_ended()

    def process_ended(self, seconds=30):
        def ended():
            return self.process.poll()
        return self.wait_for(ended, seconds, 'the guest to power off')
