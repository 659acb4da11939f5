# SPDX-License-Identifier: GPL-2.0-or-later
#
# Adding a file needs no edit here: every folder is taken by wildcard.  A folder below a
# folder is a program of its own (runtime/monitor, images/import, bench/floor) or a
# generator that runs while building (runtime/filter).
#
#	make            build/nodectl and its two helpers
#	make demo       the main job, shown on a real Debian VPS (IMAGE=mini: in seconds)
#	make check      everything that can be tested on this machine
#	make deps       install what the others need (Debian)

CC       ?= gcc
CLANG    ?= clang
MONITOR_CC ?= musl-gcc
LLVM_OBJCOPY ?= llvm-objcopy
PREFIX   ?= /usr/local
CFLAGS   ?= -O2 -g
WERROR   ?= -Werror
IMAGE    ?= debian-12
O        ?= build

VERSION  := $(shell cat VERSION)
LIBEXEC  := $(PREFIX)/lib/nodectl

WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	    -Wformat=2 -Wpointer-arith -Wwrite-strings $(WERROR)
HARDEN   ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
	    -fcf-protection -fPIE
HARDEN_LD ?= -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,-O1
ALL       = -std=gnu17 -D_GNU_SOURCE -Iinclude -I$O/gen -DVERSION='"$(VERSION)"' $(WARN) $(HARDEN) -ffunction-sections -MMD -MP $(CFLAGS)

parts     = base cgroups netns images runtime node
objects   = $(patsubst %.c,$O/obj/%.o,$(filter-out %.bpf.c,$(wildcard $(1)/*.c)))
lib       = $(foreach part,$(parts),$(call objects,$(part)))
cli       = $(call objects,nodectl)
tests     = $(call objects,tests)
base      = $(call objects,base)
monitor   = $(call objects,runtime/monitor)
probe     = $(call objects,node/probe)
import    = $(call objects,images/import)
floor     = $(call objects,bench/floor)
timer     = $(call objects,bench/timer)
sources   = $(filter-out build/%,$(sort $(wildcard include/*.h */*.[ch] */*/*.[ch])))
generated = $O/gen/guard.object.h $O/gen/neighbours.object.h $O/gen/sockets.object.h $O/gen/devices.code.h $O/gen/filter.h $O/gen/probe.code.h

# Static where a library is small and only a start-up cost otherwise; what is shared by
# the whole system stays shared.  libnftables is opened when first used (netns/nft.c).
LIBS_CLI    = -Wl,-Bstatic -lcgroup -lcap -lcrypt -lbpf -lelf -lz -ljansson -lncursesw -ltinfo -Wl,-Bdynamic -lmnl \
	      -lsmartcols -ldl
LIBS_IMPORT = -larchive -lnettle -lseccomp -lcap

# The probe's objects are linked nowhere: $(CC) compiles it for its warnings.
all: $O/nodectl $O/nodectl-monitor $O/nodectl-import $(probe)

$O/nodectl: $(cli) $(lib)
	$(CC) $(CFLAGS) $(HARDEN_LD) -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(LIBS_CLI)

$O/nodectl-import: $(import) $(base)
	$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_IMPORT)

# The monitor stays as long as its VPS, and the probe is alone in one: static and without glibc's
# start-up, so that each is a few dozen kilobytes.  $(CC) compiles them too, for its warnings.
SMALL     = $(MONITOR_CC) -std=gnu17 -D_GNU_SOURCE -Iinclude $(WARN) -Os -fstack-protector-strong \
	    -ffunction-sections -static -s -Wl,--gc-sections \
	    -Wl,-z,relro,-z,now,-z,noexecstack,-z,noseparate-code

$O/nodectl-monitor: $(wildcard runtime/monitor/*.c) runtime/monitor.h Makefile | $(monitor)
	@mkdir -p $(@D)
	$(SMALL) -o $@ $(filter %.c,$^)

$O/nodectl-probe: $(wildcard node/probe/*.[ch]) node/probe.h include/program.h Makefile
	@mkdir -p $(@D)
	$(SMALL) -o $@ $(filter %.c,$^)

# It is needed inside of VPSs only, and carried there by nodectl itself.
$O/gen/probe.code.h: $O/nodectl-probe
	@mkdir -p $(@D)
	{ echo 'static const unsigned char probe_code[] = {'; \
	  od -An -v -tx1 -w16 $< | sed 's/ \(..\)/0x\1,/g'; echo '};'; } > $@.tmp && mv $@.tmp $@

$O/unit-tests: $(tests) $(filter-out $O/obj/nodectl/main.o,$(cli)) $(lib) $(filter-out %/main.o,$(import) $(monitor))
	$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_CLI) $(LIBS_IMPORT) -lcriterion

$O/floor: $(floor) $(base)
	$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_CLI)

# The guard as the kernel runs it, against a model of it.
$O/guard-oracle: $(call objects,tests/guard) $(call objects,netns) $(base)
	$(CC) $(CFLAGS) $(HARDEN_LD) -Wl,--gc-sections $(LDFLAGS) -o $@ $^ $(LIBS_CLI)

$O/timer: $(timer)
	$(CC) $(CFLAGS) $(HARDEN_LD) $(LDFLAGS) -o $@ $^

$O/obj/%.o: %.c Makefile VERSION | $(generated)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL) -c -o $@ $<

# The device policy needs no map and no relocation: its instructions alone are embedded, and
# loaded with one system call instead of the three of a skeleton (0.13 ms, not 0.4).
$O/gen/%.code.h: $O/gen/%.bpf.o
	$(LLVM_OBJCOPY) -O binary --only-section=cgroup/dev $< $@.bin
	{ echo 'static const unsigned long long $*_code[] = {'; \
	  od -An -v -tx8 -w8 $@.bin | sed 's/^ */\t0x/; s/$$/,/'; echo '};'; } > $@.tmp
	mv $@.tmp $@

# What has maps, which libbpf makes or finds: the whole object is embedded.  It is loaded once a
# boot, and known by the sum of what it is, wherever that was built.
$O/gen/guard.bpf.o: netns/guard_map.h include/guard.h include/netns.h
$O/gen/neighbours.bpf.o: netns/neighbours_map.h include/bucket.h
$O/gen/sockets.bpf.o: cgroups/sockets_map.h include/bucket.h
# atomic operations that return what was there
$O/gen/neighbours.bpf.o $O/gen/sockets.bpf.o: BPF_CPU = -mcpu=v3

define BPF
	@mkdir -p $(@D)
	$(CLANG) -O2 -g -target bpf $(BPF_CPU) -ffreestanding -Iinclude \
		-I/usr/include/$(shell $(CC) -print-multiarch) -fdebug-compilation-dir=. -Wall $(WERROR) -c -o $@ $<
	$(LLVM_OBJCOPY) --strip-debug $@
endef
$O/gen/%.bpf.o: cgroups/%.bpf.c Makefile
	$(BPF)
$O/gen/%.bpf.o: netns/%.bpf.c Makefile
	$(BPF)

$O/gen/%.object.h: $O/gen/%.bpf.o
	{ echo "#define $$(echo $* | tr a-z A-Z)_SUM \"$$(sha256sum $< | cut -c 1-12)\""; \
	  echo 'static const unsigned char $*_object[] __attribute__((aligned(8))) = {'; \
	  od -An -v -tx1 -w16 $< | sed 's/ \(..\)/0x\1,/g'; echo '};'; } > $@.tmp && mv $@.tmp $@

# The system call filter: one table, compiled by libseccomp here and now, embedded as BPF.
$O/filter-generator: $(wildcard runtime/filter/*.[ch]) Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -Iinclude $(WARN) -O1 -g -o $@ $(filter %.c,$^) -lseccomp

$O/gen/filter.h: $O/filter-generator
	@mkdir -p $(@D)
	$< > $@.tmp && mv $@.tmp $@

# ---- what people type --------------------------------------------------------------------

# The one list of packages is contrib/packages.
deps:
	@sh contrib/deps.sh

# A fresh machine has no compiler yet when this file is read: install first, then build anew.
demo: deps
	@$(MAKE) --no-print-directory -s all
	@O=$O bash contrib/demo.sh $(IMAGE)

check: deps
	@$(MAKE) --no-print-directory -s all $O/unit-tests
	@$(MAKE) --no-print-directory -s O=$O/clang CC=$(CLANG) all
	@$(MAKE) --no-print-directory check-tree unit guard-oracle live

# What needs no root: who includes whom, manuals, layout.
check-tree: all
	sh tests/layers.sh
	O=$O sh tests/docs.sh
	bash tests/canaries.sh
	python3 tests/packages.py
	@clang-format --dry-run -Werror $(sources) && echo "layout: 1 passed, 0 failed"

unit: $O/unit-tests all
	$O/unit-tests -j2

# FRAMES=1000000 SEED=2: more of them, and others.
FRAMES   ?= 100000
SEED     ?= 1
guard-oracle: $O/guard-oracle
	$O/guard-oracle $(FRAMES) $(SEED)

# Real VPSs on this machine.
live: all
	env -u LIVE O=$O bash tests/run-live.sh $(LIVE)

# Every system call of every operation kills it, and lets it fail: hours for all of them.
# OPERATIONS="set start" takes only those, EVERY=20 each so many-th, SEED=5 what it did with that.
killpoints: all
	env -u LIVE O=$O EVERY=$(or $(EVERY),1) OPERATIONS="$(OPERATIONS)" bash tests/run-live.sh -v points

# Each hostile test against a build that lacks what it is for: it must fail.  Ten minutes;
# CANARIES="devices spoof" takes only those (tests/hostile/weak).
canaries: all
	env -u CANARIES O=$O bash tests/run-canaries.sh $(CANARIES)

# The same tests and more on a real node: systemd, cgroup v2 alone, Debian's kernel, in QEMU.
check-node:
	@sh contrib/deps.sh @node
	@$(MAKE) --no-print-directory -s all
	O=$O bash tests/node/run.sh $(LIVE)

# A root shell on that node.
node-shell:
	@sh contrib/deps.sh @node
	@$(MAKE) --no-print-directory -s all
	@O=$O bash tests/node/shell.sh

# N times its power goes while VPSs and images are made, changed and removed.
powercut:
	@sh contrib/deps.sh @node
	@$(MAKE) --no-print-directory -s all
	O=$O bash tests/node/powercut.sh $(N)

# Each state that its disk had while it worked: T seconds of work, at most N flushes.
flushes:
	@sh contrib/deps.sh @node
	@$(MAKE) --no-print-directory -s all
	O=$O bash tests/node/flushes.sh $(or $(T),3) $(N)

bench: all $O/floor $O/timer
	O=$O bash bench/run.sh $(N)

bench-net: all $O/timer
	O=$O bash bench/net.sh $(N)

# The unit tests once more, with the address and undefined-behaviour sanitizers.  The importer
# stays without: its jail has no room for the shadow memory, and the tests link its parser.
asan: $O/nodectl-import
	@$(MAKE) --no-print-directory O=$O/asan HARDEN= CFLAGS="-O1 -g -fno-omit-frame-pointer \
		-fsanitize=address,undefined -fno-sanitize-recover=undefined" $O/asan/unit-tests
	cp $O/nodectl-import $O/asan/
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 $O/asan/unit-tests -j2

# Hostile words for each parser, found by coverage: T seconds a target.  FUZZ="value archive" takes
# only those.
FUZZERS = definition value state archive guard
fuzz:
	@sh contrib/deps.sh @fuzz
	@$(MAKE) --no-print-directory -s O=$O/fuzz CC=$(CLANG) HARDEN= CFLAGS="-O1 -g -fno-omit-frame-pointer \
		-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined" \
		$(addprefix $O/fuzz/,$(FUZZERS))
	O=$O bash tests/fuzz/run.sh $(or $(T),60) $(FUZZ)

$(addprefix $O/,$(FUZZERS)): $O/%: $O/obj/tests/fuzz/%.o $O/obj/tests/guard/oracle.o $O/obj/tests/guard/model.o \
		$(filter-out $O/obj/nodectl/main.o,$(cli)) $(lib) $(filter-out %/main.o,$(import))
	$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS_CLI) $(LIBS_IMPORT)

# gcc's static analyzer over everything.
analyze:
	@$(MAKE) --no-print-directory O=$O/analyze CFLAGS="-O1 -g -fanalyzer" all

format:
	clang-format -i $(sources)

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXEC) \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/systemd/system-generators
	install -m 755 contrib/systemd/nodectl-generator \
		$(DESTDIR)$(PREFIX)/lib/systemd/system-generators/
	install -m 755 $O/nodectl $(DESTDIR)$(PREFIX)/sbin/nodectl
	install -m 755 $O/nodectl-monitor $O/nodectl-import $(DESTDIR)$(LIBEXEC)/
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 contrib/completion/nodectl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/nodectl
	install -m 644 contrib/systemd/nodectl-sample.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -d $(DESTDIR)/etc/cron.d
	sed 's#@PREFIX@#$(PREFIX)#g' contrib/cron/nodectl.in >$(DESTDIR)/etc/cron.d/nodectl
	chmod 644 $(DESTDIR)/etc/cron.d/nodectl
	for unit in nodectl-vps nodectl nodectl-sample; do \
		sed 's#@PREFIX@#$(PREFIX)#g' contrib/systemd/$$unit.service.in \
			>$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/nodectl $(DESTDIR)$(PREFIX)/share/man/man8/nodectl.8 \
		$(DESTDIR)$(PREFIX)/share/man/man5/vps.conf.5 \
		$(DESTDIR)$(PREFIX)/share/man/man5/node.conf.5 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/nodectl \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/nodectl.service \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/nodectl-vps.service \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/nodectl-sample.service \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/nodectl-sample.timer \
		$(DESTDIR)$(PREFIX)/lib/systemd/system-generators/nodectl-generator \
		$(DESTDIR)/etc/cron.d/nodectl
	rm -rf $(DESTDIR)$(LIBEXEC)

clean:
	rm -rf $O

.PHONY: all deps demo check check-tree unit guard-oracle live killpoints canaries check-node node-shell powercut flushes bench bench-net asan fuzz analyze format install uninstall clean
.SECONDARY:
-include $(shell find $O/obj -name '*.d' 2>/dev/null)
