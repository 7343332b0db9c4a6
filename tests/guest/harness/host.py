# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's half of each device, and what it finds there afterwards."""

import base64
import hashlib
import http.server
import subprocess
import threading

from .initramfs import tool

MIB = 1 << 20


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def pattern(size, seed):
    """The same bytes for the same seed, and no two pages alike."""
    return hashlib.shake_128(seed.encode()).digest(size)


def drive(name, path):
    """Arguments for the image NAME-image."""
    return ['-drive', f'if=none,id={name}-image,format=raw,file={path}']


class Ext4:
    """An ext4 image with a file for the guest to read."""

    def __init__(self, folder, name, size=160 * MIB):
        self.path = folder / f'{name}.ext4'
        content = folder / f'{name}.content'
        content.mkdir()
        data = pattern(8 * MIB, name)
        (content / 'from-host').write_bytes(data)
        (content / 'from-host.md5').write_text(md5(data))
        with self.path.open('wb') as image:
            image.truncate(size)
        subprocess.run(
            [tool('mke2fs'), '-q', '-F', '-t', 'ext4', '-E',
             'lazy_itable_init=0', '-d', str(content), str(self.path)],
            check=True, capture_output=True)

    def check(self, tap, sums, what):
        """fsck, then compare each file with the sum the guest took of it."""
        fsck = subprocess.run([tool('e2fsck'), '-fn', str(self.path)],
                              capture_output=True, text=True, check=False)
        tap.ok(fsck.returncode == 0, f'{what}: the host finds a clean ext4',
               fsck.stdout + fsck.stderr)
        got = {name: md5(self.read(name)) for name in sums}
        tap.ok(sums and got == sums,
               f'{what}: the host finds what the guest wrote on ext4',
               f'host {got}, guest {sums}')

    def read(self, name):
        out = subprocess.run([tool('debugfs'), '-R', f'cat /{name}',
                              str(self.path)], capture_output=True, check=True)
        return out.stdout


class Raw:
    """An image whose first half is known and whose second half is zero."""

    def __init__(self, folder, name, mib=16):
        self.path = folder / f'{name}.raw'
        self.mib = mib
        self.data = pattern(mib * MIB, name)
        with self.path.open('wb') as image:
            image.write(self.data)
            image.truncate(2 * mib * MIB)

    def check(self, tap, sums, what):
        content = self.path.read_bytes()
        half = self.mib * MIB
        tap.ok(content[:half] == self.data,
               f'{what}: what the guest only read is unchanged')
        tap.equal({'raw': md5(content[half:])}, sums,
                  f'{what}: the host finds what the guest wrote')


class Share:
    """A folder for 9p."""

    def __init__(self, folder, name, mib=8):
        self.path = folder / f'{name}.share'
        self.path.mkdir()
        data = pattern(mib * MIB, name)
        (self.path / 'from-host').write_bytes(data)
        (self.path / 'from-host.md5').write_text(md5(data))

    def check(self, tap, sums, what):
        new = self.path / 'from-guest'
        got = {new.name: md5(new.read_bytes())} if new.exists() else {}
        tap.ok(sums and got == sums,
               f'{what}: the host finds what the guest wrote',
               f'host {got}, guest {sums}')


class Entropy:
    """A source of entropy in which every 16 bytes say where they were."""

    RECORD = 16

    def __init__(self, folder, name, records=1 << 18):
        self.path = folder / f'{name}.entropy'
        self.records = records
        self.path.write_bytes(b''.join(b'%015d\n' % i for i in range(records)))

    def check(self, tap, encoded, blocks, what):
        """All of it comes from the source, in order, none of it twice."""
        data = base64.b64decode(encoded)
        tap.equal(len(data), blocks * 64, f'{what}: the guest got all of it')
        try:
            got = [int(data[i:i + self.RECORD])
                   for i in range(0, len(data), self.RECORD)]
        except ValueError:
            got = []
        tap.ok(got and got == sorted(set(got)) and got[-1] < self.records,
               f'{what}: what the guest got is the host\'s',
               f'{data[:64]!r}')


class Server:
    """An HTTP server: one file to fetch, and sums of posts.

    listener  its socket; by default one on loopback
    """

    def __init__(self, mib=16, listener=None):
        self.data = pattern(mib * MIB, 'download')
        self.posts = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self, body):
                try:
                    self.send_response(200)
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    # The guest has gone; its own checks tell why.
                    pass

            def do_GET(self):
                self.reply(b'small\n' if self.path == '/small'
                           else outer.data)

            def do_POST(self):
                size = int(self.headers['Content-Length'])
                body = self.rfile.read(size)
                outer.posts.append((len(body), md5(body)))
                self.reply(md5(body).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), Handler, bind_and_activate=not listener)
        if listener:
            self.server.socket.close()
            self.server.socket = listener
            self.server.server_address = listener.getsockname()
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Port:
    """The host's end of a virtio-serial port: send, then take it back."""

    def __init__(self, size=MIB):
        self.data = pattern(size, 'serial')
        self.received = b''
        self.thread = None

    def start(self, sock):
        self.thread = threading.Thread(target=self.talk, args=(sock,),
                                       daemon=True)
        self.thread.start()

    def talk(self, sock):
        got = bytearray()
        try:
            sock.sendall(self.data)
            while len(got) < len(self.data):
                data = sock.recv(65536)
                if not data:
                    break
                got += data
        except OSError:
            pass
        self.received = bytes(got)

    def check(self, tap, what):
        self.thread.join(30)
        tap.ok(self.received == self.data,
               f'{what}: the host gets back what it sent',
               f'{len(self.received)} of {len(self.data)} bytes')
