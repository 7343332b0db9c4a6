# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sphinx configuration: nothing but what Debian 12 and later package, and
# nothing from the network.

import os
import re

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       '../meson.build'), encoding='utf-8') as build_file:
    release = re.search(r"^ +version: '([^']+)'", build_file.read(), re.M)[1]

project = 'virtio-swiotlb'
version = release
copyright = 'the authors of virtio-swiotlb, GPL-2.0-or-later'

extensions = []
exclude_patterns = []
language = 'en'
highlight_language = 'none'
nitpicky = True
html_show_sphinx = False
html_copy_source = False

man_pages = [('man/virtio-swiotlb-check', 'virtio-swiotlb-check',
              'tell whether virtio devices are confined', [], 1),
             ('man/qemu-system-swiotlb', 'qemu-system-swiotlb',
              'QEMU whose virtio devices reach a window of memory', [], 1)]

try:
    import sphinx_rtd_theme  # noqa: F401, pylint: disable=unused-import
    extensions.append('sphinx_rtd_theme')
    html_theme = 'sphinx_rtd_theme'
    html_theme_options = {'navigation_depth': 3}
except ImportError:
    html_theme = 'alabaster'
