# SPDX-License-Identifier: GPL-2.0-or-later
#
# The two commands most people need are 'make' and 'make check'; the rules
# behind them are in meson.build. BUILD=DIR chooses another build folder.

BUILD ?= build
NINJA = ninja -C $(BUILD)
PLACES = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' KVER='$(KVER)'

.DEFAULT_GOAL = all
.PHONY: all bench bench-guest bench-scale demo check install uninstall deb docs \
	guest-image clean distclean help qemu guest debug-guest stock check-static \
	check-semantic-patches check-thorough

# A failed configure leaves no config.status; run it again then.
$(BUILD)/config.status:
	./configure --build-dir=$(BUILD)

all: $(BUILD)/config.status
	@$(NINJA) --quiet

qemu guest debug-guest stock: $(BUILD)/config.status
	@$(NINJA) --quiet $@-is-built

docs: $(BUILD)/config.status
	@$(NINJA) --quiet docs-are-built man-is-built
	@echo 'The manual is $(BUILD)/docs/index.html'

# No more than the demonstration needs: it should not keep a newcomer waiting.
demo: $(BUILD)/config.status
	@scripts/build-qemu $(BUILD) qemu-system-x86_64
	@scripts/build-guest $(BUILD) bookworm
	@tests/guest/demo $(BUILD)

check: all
	@scripts/check $(BUILD)

check-%: all
	@scripts/check $(BUILD) --suite $*

check-thorough: all debug-guest
	@scripts/check $(BUILD) --suite thorough --suite guest-arm64

# These read the sources only.
check-static check-semantic-patches: check-%: $(BUILD)/config.status
	@scripts/check $(BUILD) --suite $* --no-rebuild

bench: qemu stock
	@$(NINJA) --quiet tests/bench/client/bench-client
	@tests/bench/bench --build $(BUILD) $(BENCH_FLAGS)

bench-scale: qemu
	@tests/bench/scale --build $(BUILD) $(SCALE_FLAGS)

bench-guest: all
	@tests/bench/guest/bench --build $(BUILD) $(BENCH_FLAGS)

install: $(BUILD)/config.status
	@$(NINJA) --quiet qemu-is-built man-is-built \
		tools/check/virtio-swiotlb-check
	@$(PLACES) scripts/install $(BUILD)

uninstall: $(BUILD)/config.status
	@$(PLACES) scripts/install --remove $(BUILD)

deb: $(BUILD)/config.status
	@$(NINJA) --quiet deb-is-built

guest-image: deb
	@scripts/build-guest-image $(BUILD)

clean:
	@for part in qemu libvirt; do \
		if [ -f $(BUILD)/$$part/build.ninja ]; then \
			ninja -C $(BUILD)/$$part -t clean >/dev/null; fi; done
	rm -rf $(BUILD)/guest $(BUILD)/debug-kernel $(BUILD)/pool-kernel \
		$(BUILD)/stock $(BUILD)/docs $(BUILD)/man $(BUILD)/deb \
		$(BUILD)/guest-image $(BUILD)/meson-logs

distclean:
	@if [ -e $(BUILD)/configure ]; then \
		echo '$(BUILD) is no build folder' >&2; exit 1; fi
	rm -rf $(BUILD)

help:
	@echo 'make              build QEMU and the guest module (runs configure first)'
	@echo 'make demo         build, boot a guest and show what the window does'
	@echo 'make check        run every test'
	@echo 'make check-SUITE  run one suite: unit qtest guest devices vhost-user mmio'
	@echo '                  libvirt libvirt-native migration hotplug tools packages'
	@echo '                  fuzz unmodified semantic-patches bench bench-ir scale'
	@echo '                  static docs; or guest-arm64, which takes long, and'
	@echo '                  thorough with that and the long loops that are in no'
	@echo '                  other'
	@echo 'make bench        measure what a window costs, or gains; options go into'
	@echo '                  BENCH_FLAGS, such as BENCH_FLAGS=--quick'
	@echo 'make bench-scale  measure what many and large windows cost; options go'
	@echo '                  into SCALE_FLAGS, such as SCALE_FLAGS=--quick'
	@echo 'make bench-guest  measure what the guest driver costs; BENCH_FLAGS='
	@echo '                  has options, such as BENCH_FLAGS=--quick'
	@echo "make install      install QEMU beside the system's, the checker, the guest"
	@echo '                  module and the manual (DESTDIR and PREFIX are honoured,'
	@echo '                  configure --prefix= too)'
	@echo 'make uninstall    remove what was installed'
	@echo 'make deb          make Debian packages of all that, in $(BUILD)/deb'
	@echo 'make guest-image  make a Debian guest with the guest module, in'
	@echo '                  $(BUILD)/guest-image; takes root'
	@echo 'make docs         build the manual'
	@echo 'make clean        remove what was built'
	@echo 'make distclean    remove the build folder'
	@echo
	@echo 'BUILD=DIR works in another build folder than build/.'
	@echo './configure --help lists what can be configured.'
