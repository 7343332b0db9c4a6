# SPDX-License-Identifier: GPL-2.0-or-later
"""A libvirt daemon of the test's own, with the domains that it runs.

It is the session daemon of a user who is not root, and all that it has is in
one folder: no service, no bus, no socket elsewhere.
"""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'guest'))

# pylint: disable=wrong-import-position
from harness import (backend, cli, devices, hot, manual,  # noqa: E402,F401
                     tap)
from harness.machine import PATIENCE, MachineError  # noqa: E402

PROGRAMS = ('libvirtd', 'virsh', 'virt-xml-validate', 'xmllint')

# Nothing that is asked for in /etc of this system, and no service.
QEMU_CONF = 'stdio_handler = "file"\nsecurity_driver = "none"\n'


class Libvirt:
    """libvirt's programs: the system's, or those of its build folder."""

    def __init__(self, folder=None):
        path = os.environ['PATH'] + ':/usr/sbin:/sbin'
        self.env = {'PATH': path}
        if folder:
            self.env = {
                'PATH': f"{folder / 'src'}:{folder / 'tools'}:{path}",
                'LD_LIBRARY_PATH': str(folder / 'src'),
                # Modules and schemas are where they were built.
                'LIBVIRT_DIR_OVERRIDE': '1'}

    def tool(self, name):
        """The path of a program, or None."""
        return shutil.which(name, path=self.env['PATH'])


def need_libvirt():
    """The system's."""
    libvirt = Libvirt()
    for name in PROGRAMS:
        if not libvirt.tool(name):
            tap.skip_all(f'no {name}: install libvirt')
    return libvirt


def need_native_libvirt(build):
    """The libvirt that was built with our attributes."""
    folder = build.folder / 'libvirt'
    if not (folder / 'src/libvirtd').exists():
        tap.skip_all('no libvirt was built: configure --with-libvirt-source')
    seen = subprocess.run(['test', '-x', folder / 'src/libvirtd'], check=False,
                          **plain_user())
    if seen.returncode:
        tap.skip_all(f'a user who is not root cannot read {folder}: build in '
                     'a folder that all can read')
    return Libvirt(folder)


def parser(description):
    """For programs that can run with either."""
    options = cli.parser(description)
    options.add_argument('--native', action='store_true',
                         help='with the libvirt that knows windows')
    return options


def find_libvirt(context):
    """The one that was asked for."""
    return need_native_libvirt(context.build) if context.options.native \
        else need_libvirt()


def plain_user():
    """For subprocess: who is not root, and so may not use KVM here."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam('nobody')
    return {'user': nobody.pw_uid, 'group': nobody.pw_gid, 'extra_groups': []}


def alive(pid):
    """A process that has not ended."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_text(encoding='ascii')
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(')')[2].split()[0] != 'Z'


def until(condition, seconds, what):
    """The first true result of a condition."""
    end = time.monotonic() + seconds * PATIENCE
    while not (got := condition()):
        if time.monotonic() > end:
            raise MachineError(f'timed out waiting for {what}')
        time.sleep(0.1)
    return got


class Place:
    """A folder of the plain user's, with a path that is short enough for sockets.

    Use it in a `with` statement; nothing of it stays.
    """

    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix='swiotlb-libvirt-'))
        self.give(self.path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    @staticmethod
    def give(path):
        """Make a file or folder the plain user's."""
        user = plain_user()
        if user:
            os.chown(path, user['user'], user['group'])

    def folder(self, *names):
        path = self.path
        for name in names:
            path = path / name
            if not path.exists():
                path.mkdir()
                self.give(path)
        return path

    def write(self, path, text):
        path.write_text(text, encoding='utf-8')
        self.give(path)
        return path

    def reachable(self, path, name=None):
        """The file, or a copy, so that the plain user can read it."""
        seen = subprocess.run(['test', '-r', path], check=False,
                              **plain_user())
        if seen.returncode == 0:
            return path
        copy = self.folder('copies') / (name or path.name)
        if not copy.exists():
            shutil.copy(path, copy)
            self.give(copy)
        return copy


class Session:
    """A running libvirtd. Use it in a `with` statement, inside a Place.

    When it ends it takes its domains with it.
    """

    def __init__(self, place, name='here', libvirt=None):
        self.place = place
        self.libvirt = libvirt or Libvirt()
        self.home = place.folder(name)
        self.run_folder = place.folder(name, 'run')
        self.socket = self.run_folder / 'libvirt/libvirt-sock'
        self.uri = f'qemu:///session?socket={self.socket}'
        self.env = {
            **self.libvirt.env,
            'LC_ALL': 'C', 'HOME': str(self.home),
            'XDG_RUNTIME_DIR': str(self.run_folder),
            'XDG_CONFIG_HOME': str(place.folder(name, 'config')),
            'XDG_CACHE_HOME': str(place.folder(name, 'cache')),
            'XDG_DATA_HOME': str(place.folder(name, 'data')),
            'LIBVIRT_DEFAULT_URI': self.uri,
            # A virsh that finds no daemon must not start one.
            'LIBVIRT_AUTOSTART': '0'}
        config = place.folder(name, 'config', 'libvirt')
        # Two daemons that take themselves for the same host do not migrate.
        place.write(config / 'libvirtd.conf',
                    f'host_uuid = "{uuid.uuid4()}"\n')
        place.write(config / 'qemu.conf', QEMU_CONF)
        self.daemon = None

    def __enter__(self):
        self.log = (self.home / 'libvirtd.log').open('w+b')
        self.daemon = subprocess.Popen(
            [self.libvirt.tool('libvirtd')], env=self.env, cwd=self.home,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            **plain_user())
        try:
            until(self.answers, 30, 'libvirtd to answer')
        except BaseException:
            self.__exit__()
            raise
        return self

    def answers(self):
        if self.daemon.poll() is not None:
            raise MachineError('libvirtd did not start\n' + self.said())
        return self.socket.exists() and self.virsh('uri')[0] == 0

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors='replace')

    def __exit__(self, *_):
        """Domains would outlive the daemon."""
        if self.daemon.poll() is None:
            for name in self.virsh('list', '--name')[1].split():
                self.virsh('destroy', name)
            self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
            until(lambda p=pid: not alive(p), 10, f'QEMU {pid} to end')
        self.log.close()

    def left(self):
        """QEMUs that are still there."""
        found = [int(path.read_text()) for path in
                 self.run_folder.glob('libvirt/qemu/run/*.pid')]
        return [pid for pid in found if alive(pid)]

    def sh(self, command, folder=None, seconds=120):
        """(status, output) of a shell's command of this user's."""
        done = subprocess.run(
            ['sh', '-c', command], env=self.env, cwd=folder or self.home,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT, timeout=seconds * PATIENCE, check=False,
            **plain_user())
        return done.returncode, done.stdout

    def virsh(self, *words, seconds=120):
        """(status, output)"""
        done = subprocess.run(
            [self.libvirt.tool('virsh'), '-q', *map(str, words)], env=self.env,
            cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=seconds * PATIENCE,
            check=False, **plain_user())
        return done.returncode, done.stdout

    def must(self, *words, **options):
        """The output of a virsh that has to succeed."""
        status, output = self.virsh(*words, **options)
        if status:
            raise MachineError(f"virsh {' '.join(map(str, words))} "
                               f'ended with {status}\n{output}')
        return output

    def define(self, xml):
        self.must('define', self.place.write(self.home / 'domain.xml', xml))

    def forget(self, name):
        """No domain of this name."""
        self.virsh('destroy', name)
        self.must('undefine', name, '--managed-save')

    def ask(self, domain, command, arguments):
        """The monitor's answer: an object with 'return' or with 'error'."""
        request = {'execute': command, 'arguments': arguments}
        return json.loads(self.must('qemu-monitor-command', domain, '--pretty',
                                    json.dumps(request)))

    def property(self, domain, alias, name):
        """What qom-get says of a device; None if there is none such."""
        answer = self.ask(domain, 'qom-get', {
            'path': f'/machine/peripheral/{alias}', 'property': name})
        return answer.get('return')

    def pid(self, domain):
        path = self.run_folder / f'libvirt/qemu/run/{domain}.pid'
        return int(path.read_text())

    def log_path(self, domain):
        """What QEMU said."""
        cache = Path(self.env['XDG_CACHE_HOME'])
        return cache / f'libvirt/qemu/log/{domain}.log'

    def qemu_said(self, domain):
        """What it said when it ran last."""
        text = self.log_path(domain).read_text(errors='replace')
        return re.split(r'^.*: starting up libvirt version', text,
                        flags=re.M)[-1]
