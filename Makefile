# Lazaret. Targets: all deps demo check matrix bench instructions lint fuzz install uninstall clean
#
#   O=build        where output goes          V=1          show commands
#   SAN=address,undefined  (with another O)   STRICT=1     a skipped test fails
#   CC CLANG BPFTOOL PREFIX DESTDIR           overridable

O ?= build
CC = gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr
DESTDIR ?=
Q := $(if $(V),,@)

.DELETE_ON_ERROR:
.SUFFIXES:

VERSION := 0.1.0
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wvla -Wformat=2 $(if $(CI),-Werror)
HARDEN := $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
CFLAGS ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARN) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
override CPPFLAGS += -D_GNU_SOURCE -DLZ_VERSION='"$(VERSION)"' -Iinclude -Ictl -I. -isystem $(O)/skel
override LDFLAGS += -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))

# ---------------------------------------------------------------- what is in which program

ROOMS := base policy colony datapath ledger serve tell
DAEMON_ROOMS := privsep backtest keeper control cases handlers daemon
room = $(patsubst %.c,$(O)/%.o,$(wildcard ctl/$(1)/*.c))

BASE_LIBS := -lcjson -lm
DAEMON_LIBS := $(BASE_LIBS) -lbpf -lelf -lz -luv -lsqlite3 -lnl-route-3 -lnl-3 -lpcap -lcap -lseccomp \
	-lcurl -lgnutls -lcares
override CPPFLAGS += -I/usr/include/libnl3

PORTAL_LIBS := $(BASE_LIBS) -luv -lmicrohttpd -lgnutls -lcap -lseccomp

CLI_OBJS := $(call room,cli) $(call room,policy) $(call room,base)
DAEMON_OBJS := $(foreach r,$(ROOMS) $(DAEMON_ROOMS),$(call room,$(r)))
PORTAL_OBJS := $(call room,portal) $(call room,base)
# Every room but the three main programs' own: what tests link.
TEST_OBJS := $(foreach r,$(ROOMS),$(call room,$(r)))
TEST_LIBS := $(DAEMON_LIBS) -lmicrohttpd

PROGRAMS := $(if $(wildcard ctl/daemon/*.c),$(O)/lazaretd) $(if $(wildcard ctl/cli/*.c),$(O)/lazaretctl) \
	$(O)/lazaret-portal

.PHONY: all deps demo check unit prog labs vm matrix bench instructions lint fuzz install uninstall clean
all: $(PROGRAMS)

$(O)/lazaretctl: $(CLI_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(BASE_LIBS)

$(O)/lazaretd: $(DAEMON_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

$(O)/lazaret-portal: $(PORTAL_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PORTAL_LIBS)

# The shipped pages are part of the program; the compiler does not see that it reads them.
$(O)/ctl/portal/builtin.o: $(wildcard ctl/portal/templates/*.html)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---------------------------------------------------------------- the data plane

# Debian's clang does not find asm/types.h for the bpf target by itself.
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra $(if $(CI),-Werror) -Iinclude \
	-idirafter /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# The bench's and the tests' own.
$(O)/selftests/%.bpf.o: selftests/%.bpf.c
	@mkdir -p $(@D)
	@echo "  BPF     $<"
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/skel/%.skel.h: $(O)/bpf/%.bpf.o
	@mkdir -p $(@D)
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name $* > $@ 2>$@.log || { cat $@.log; rm -f $@; exit 1; }

# The skeleton is a system header to the compiler, so -MMD does not list it: say it here.
.PRECIOUS: $(O)/bpf/%.bpf.o $(O)/skel/%.skel.h
$(call room,datapath): $(O)/skel/lazaret.skel.h

# ---------------------------------------------------------------- tests

UNIT := $(patsubst selftests/unit/%.c,$(O)/selftests/unit/%,$(wildcard selftests/unit/t_*.c))
PROG := $(patsubst selftests/prog/%.c,$(O)/selftests/prog/%,$(wildcard selftests/prog/p_*.c))
TEST_LIB := $(patsubst %.c,$(O)/%.o,$(wildcard selftests/lib/*.c selftests/model/*.c))
CLI_TEST_OBJS := $(filter-out $(O)/ctl/cli/main.o $(O)/ctl/cli/lazaretctl.o,$(call room,cli))
PORTAL_TEST_OBJS := $(filter-out $(O)/ctl/portal/main.o,$(call room,portal))

$(O)/selftests/%.o: selftests/%.c $(O)/skel/lazaret.skel.h
	@mkdir -p $(@D)
	@echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Iselftests -Iselftests/unit -MMD -MP -c -o $@ $<

$(UNIT) $(PROG): %: %.o $(TEST_OBJS) $(CLI_TEST_OBJS) $(PORTAL_TEST_OBJS) $(TEST_LIB)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

# Programs that tests of selftests/net start.
LABS := $(patsubst selftests/net/%.c,$(O)/selftests/net/%,$(filter-out %.bpf.c,$(wildcard selftests/net/*.c)))
LAB_BPF := $(patsubst %.c,$(O)/%.o,$(wildcard selftests/net/*.bpf.c))
$(LABS): %: %.o $(TEST_OBJS) $(PORTAL_TEST_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)

# A daemon of another ABI, for net/upgrade.sh.
BEFORE := $(O)/selftests/net/before
BEFORE_OBJS := $(patsubst $(O)/ctl/datapath/%,$(BEFORE)/%,$(DAEMON_OBJS))

$(BEFORE)/%.o: ctl/datapath/%.c $(O)/skel/lazaret.skel.h
	@mkdir -p $(@D)
	@echo "  CC      $< (another ABI)"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -DLZ_ABI_VERSION=1 -MMD -MP -c -o $@ $<

$(BEFORE)/lazaretd: $(BEFORE_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

# Tests that need root say so themselves.
unit: $(UNIT)
prog: $(PROG)
labs: $(LABS) $(LAB_BPF) $(BEFORE)/lazaretd

export LZ_BUILD := $(abspath $(O))

deps:
	$(Q)selftests/lib/deps.sh

# SECTIONS="unit prog" runs some of it.
check:
	$(Q)selftests/lib/deps.sh --quiet
	$(Q)selftests/lib/check.sh $(if $(STRICT),--strict) $(SECTIONS)

demo:
	$(Q)selftests/lib/deps.sh --quiet --no-guest
	$(Q)$(MAKE) --no-print-directory -s -j2 O=$(O) all
	$(Q)selftests/demo/demo.sh

# ---------------------------------------------------------------- the bench

BENCH := $(O)/selftests/bench/bench $(O)/selftests/bench/bench.bpf.o

$(O)/selftests/bench/bench: $(patsubst %.c,$(O)/%.o,$(filter-out %.bpf.c,$(wildcard selftests/bench/*.c))) \
		$(TEST_OBJS) $(CLI_TEST_OBJS)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS) -lpthread

# QUICK=1: tiny tables and few packets, only to see that verdicts and output are right.
# FIGURES="b d": only these letters (see selftests/bench/bench.h).
# AGAINST=HEAD~1: a to e of this tree and of that commit, by turns, over the same tables or, where they differ, with
# APART=1 in any case, each over its own.
bench:
	$(Q)selftests/lib/deps.sh --quiet --no-guest
	$(Q)$(MAKE) --no-print-directory -s -j2 O=$(O) all $(BENCH)
	$(Q)selftests/bench/$(if $(AGAINST),against,run).sh $(if $(QUICK),--quick) $(if $(APART),--apart) $(AGAINST) $(FIGURES)

# How many instructions a packet of a to e takes: exact, in an emulated guest whose clock counts them.
instructions:
	$(Q)selftests/lib/deps.sh --quiet
	$(Q)$(MAKE) --no-print-directory -s -j2 O=$(O) $(BENCH)
	$(Q)selftests/bench/instructions.sh $(FIGURES)

# Does the data plane load, attach and judge on every kernel it claims? Emulated, minutes each.
KERNELS ?= bookworm bookworm-backports trixie
matrix:
	$(Q)selftests/lib/deps.sh --quiet
	$(Q)$(MAKE) --no-print-directory -s -j2 O=$(O) prog
	$(Q)for k in $(KERNELS); do selftests/vm/run.sh --kernel $$k selftests/vm/t_load.sh || exit 1; done

# One guest test on the machine's own suite.
vm:
	$(Q)$(MAKE) --no-print-directory check SECTIONS=vm

fuzz:
	$(Q)selftests/fuzz/run.sh $(or $(SECONDS_EACH),600)

lint:
	$(Q)selftests/lib/check.sh lint

# ---------------------------------------------------------------- install

EXAMPLES := $(DESTDIR)$(PREFIX)/share/lazaret/policies

install: all
	install -D -m 755 $(O)/lazaretd $(DESTDIR)$(PREFIX)/sbin/lazaretd
	install -D -m 755 $(O)/lazaret-portal $(DESTDIR)$(PREFIX)/sbin/lazaret-portal
	install -D -m 755 $(O)/lazaretctl $(DESTDIR)$(PREFIX)/bin/lazaretctl
	install -D -m 644 ctl/daemon/lazaret.service $(DESTDIR)/lib/systemd/system/lazaret.service
	install -D -m 644 ctl/daemon/lazaret.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/lazaret.conf
	install -D -m 644 ctl/daemon/lazaret.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lazaret.conf
	install -d -m 755 $(DESTDIR)/etc/lazaret $(EXAMPLES)/ranges $(EXAMPLES)/schema
	install -d -m 755 $(DESTDIR)$(PREFIX)/share/lazaret/portal
	install -m 644 ctl/portal/templates/*.html $(DESTDIR)$(PREFIX)/share/lazaret/portal
	install -m 644 policies/*.json $(EXAMPLES)
	install -m 644 policies/ranges/* $(EXAMPLES)/ranges
	install -m 644 policies/schema/*.json $(EXAMPLES)/schema
	install -d $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -D -m 644 policies/lazaret-policy.5 $(DESTDIR)$(PREFIX)/share/man/man5/lazaret-policy.5
	install -m 644 ctl/daemon/lazaretd.8 $(DESTDIR)$(PREFIX)/share/man/man8/lazaretd.8
	install -m 644 ctl/portal/lazaret-portal.8 $(DESTDIR)$(PREFIX)/share/man/man8/lazaret-portal.8
	$(O)/lazaretctl --man > $(DESTDIR)$(PREFIX)/share/man/man8/lazaretctl.8
	$(O)/lazaretctl --completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lazaretctl
	$(if $(DESTDIR),,if command -v systemd-sysusers >/dev/null; then systemd-sysusers lazaret.conf; else \
		getent passwd lazaret >/dev/null || useradd --system --user-group --no-create-home \
			--home-dir /var/lib/lazaret --shell /usr/sbin/nologin lazaret; \
		getent passwd lazaret-portal >/dev/null || useradd --system --user-group --no-create-home \
			--home-dir / --shell /usr/sbin/nologin lazaret-portal; \
		for group in lazaret-view lazaret-admin; do \
			getent group $$group >/dev/null || groupadd --system $$group; done; fi)
	$(if $(DESTDIR),,! command -v systemd-tmpfiles >/dev/null || systemd-tmpfiles --create lazaret.conf)
	$(if $(DESTDIR),,[ ! -d /run/systemd/system ] || systemctl daemon-reload)

# What was attached stays attached and what was held stays held: 'lazaretd --detach' ends that.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/lazaretd $(DESTDIR)$(PREFIX)/bin/lazaretctl
	rm -f $(DESTDIR)$(PREFIX)/sbin/lazaret-portal
	rm -f $(DESTDIR)/lib/systemd/system/lazaret.service $(DESTDIR)$(PREFIX)/lib/sysusers.d/lazaret.conf
	rm -f $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lazaret.conf
	rm -f $(DESTDIR)$(PREFIX)/share/man/man8/lazaretctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/lazaret-portal.8
	rm -f $(DESTDIR)$(PREFIX)/share/man/man8/lazaretd.8 $(DESTDIR)$(PREFIX)/share/man/man5/lazaret-policy.5
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lazaretctl
	rm -rf $(DESTDIR)$(PREFIX)/share/lazaret

clean:
	$(Q)rm -rf $(O)

-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)
