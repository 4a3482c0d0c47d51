# coracle's build. `make help` lists what there is to make.
#
#   BUILD    release (default), debug (ASan + UBSan), sim, hostile, tsan, cov, fuzz
#   CC       gcc (default) or clang
#   WERROR=1 warnings are errors
#   V=1      show the commands
#   B=dir    where everything made goes (default: build)
#   PARTS="raft src/base"   only these folders' sources and tests (default: all)
#
# Sources are found by wildcard. Everything made lies below build/<BUILD>, or build/<BUILD>-<CC> when
# CC is not gcc, so that builds of different kinds never mix.

BUILD ?= release
B ?= build
SEEDS ?= 500
FUZZ_SECONDS ?= 5
NODES ?= 3
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
CC_NAME := $(notdir $(firstword $(CC)))
O := $(B)/$(BUILD)$(if $(filter-out gcc cc,$(CC_NAME)),-$(CC_NAME))
Q := $(if $(V),,@)

.DELETE_ON_ERROR:
.SUFFIXES:
all: coracle check-program

# --- Flags --------------------------------------------------------------------------------------

# Of tests' builds the lines alone are kept for debuggers and reports, which saves a fifth of the time: DEBUG_INFO=-g for variables too.
DEBUG_INFO ?= -g1
BUILD_CFLAGS_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
# The server is optimised as a whole (LTO=no: file by file), which saves it a seventh of its own processor time. That takes gcc's archiver.
ifeq ($(BUILD),release)
LTO ?= $(if $(filter gcc cc,$(CC_NAME)),$(shell command -v $(CC)-ar >/dev/null 2>&1 && echo yes || echo no),no)
ifeq ($(LTO),yes)
BUILD_CFLAGS_release += -flto=auto
AR := $(CC)-ar
# What the compiler guesses of pointers across files is no finding; within each file it has looked.
LTO_LDFLAGS := -Wno-null-dereference
endif
endif
SANITIZE := -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
BUILD_CFLAGS_debug := -O1 $(DEBUG_INFO) $(SANITIZE) -DCORACLE_SLOW_CHECKS
BUILD_CFLAGS_hostile := $(BUILD_CFLAGS_debug) -DCORACLE_HOSTILE
BUILD_CFLAGS_sim := -O2 $(DEBUG_INFO) -DCORACLE_SLOW_CHECKS -DCORACLE_COVER -DCORACLE_MUTANTS
BUILD_CFLAGS_tsan := -O1 $(DEBUG_INFO) -fno-omit-frame-pointer -fsanitize=thread -DCORACLE_SLOW_CHECKS
BUILD_CFLAGS_cov := -O0 -g --coverage -DCORACLE_SLOW_CHECKS
BUILD_CFLAGS_valgrind := -O1 $(DEBUG_INFO) -DCORACLE_SLOW_CHECKS
BUILD_CFLAGS_fuzz := -O1 $(DEBUG_INFO) -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=all -DCORACLE_SLOW_CHECKS -DCORACLE_FUZZ
ifeq ($(BUILD_CFLAGS_$(BUILD)),)
$(error BUILD=$(BUILD) is not one of release debug sim hostile tsan cov valgrind fuzz)
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align \
    -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
    -Wformat=2 -Wundef -Wvla -Wswitch-enum -Wdouble-promotion -Wwrite-strings \
    -Wnull-dereference -Wimplicit-fallthrough -Wredundant-decls -Wno-format-zero-length
ifeq ($(findstring clang,$(CC_NAME)),)
WARNINGS += -Wlogical-op -Wduplicated-cond
endif

# jemalloc is a switch (JEMALLOC=no turns it off), on when found; never together with a sanitizer,
# which brings an allocator of its own.
ifeq ($(BUILD),release)
JEMALLOC ?= $(shell pkg-config --exists jemalloc 2>/dev/null && echo yes || \
    { printf '\043include <jemalloc/jemalloc.h>\nint main(void) { return 0; }\n' | \
    $(CC) -x c - -o /dev/null -ljemalloc 2>/dev/null && echo yes; } || echo no)
else
JEMALLOC := no
endif
ifeq ($(JEMALLOC),yes)
FEATURES := -DHAVE_JEMALLOC
FEATURE_LIBS := -ljemalloc
endif

# So are the libraries of HTTP: HTTP_PARSER (without it every HTTP request is answered 501) and WSLAY (without it /ws and
# /v1/live are). $(call found,<header>,<library>)
found = $(shell printf '\043include <stddef.h>\n\043include <sys/types.h>\n\043include <$(1)>\nint main(void) { return 0; }\n' | \
    $(CC) -x c - -o /dev/null -l$(2) 2>/dev/null && echo yes || echo no)
ifeq ($(origin HTTP_PARSER),undefined)
HTTP_PARSER := $(call found,http_parser.h,http_parser)
endif
ifeq ($(origin WSLAY),undefined)
WSLAY := $(call found,wslay/wslay.h,wslay)
endif
ifeq ($(HTTP_PARSER),yes)
FEATURES += -DHAVE_HTTP_PARSER
NODE_LIBS += -lhttp_parser
endif
ifeq ($(WSLAY),yes)
FEATURES += -DHAVE_WSLAY
NODE_LIBS += -lwslay
endif
# What is there need not be looked for again by the makes that this one runs. What is missing must be: `make run` and `make test`
# install it first, and then have another make build.
$(foreach f,HTTP_PARSER WSLAY,$(if $(filter yes,$($(f))),$(eval export $(f))))

CPPFLAGS_ALL := -I. -Isrc -I$(O)/gen -D_POSIX_C_SOURCE=200809L $(FEATURES) $(CPPFLAGS)
CFLAGS_ALL := -std=c11 -pthread $(BUILD_CFLAGS_$(BUILD)) $(WARNINGS) $(if $(filter 1,$(WERROR)),-Werror) \
    $(CFLAGS)
# Tests are some two hundred programs: the quickest linker there is.
ifneq ($(BUILD),release)
LINKER ?= $(shell command -v ld.lld >/dev/null 2>&1 && echo lld)
endif
LDFLAGS_ALL := -pthread $(addprefix -fuse-ld=,$(LINKER)) $(filter -fsanitize=% --coverage -fno-sanitize-recover=%,$(BUILD_CFLAGS_$(BUILD))) \
    $(LTO_LDFLAGS) $(LDFLAGS)

# --- Sources ------------------------------------------------------------------------------------

PARTS ?= resp raft $(patsubst %/,%,$(sort $(dir $(wildcard src/*/*.c))))
# What has sockets: not part of the simulator.
SOCKET_PARTS := src/net src/transfer
NET_SRC := $(sort $(foreach p,$(filter $(SOCKET_PARTS),$(PARTS)),$(wildcard $(p)/*.c)))
LIB_SRC := $(sort $(filter-out src/net/% src/transfer/%,$(foreach p,$(PARTS),$(wildcard $(p)/*.c))))
# The history checker: of the server's rooms it uses base alone.
CHECK_SRC := $(filter-out check/main.c,$(sort $(wildcard check/*.c)))
MAIN_SRC := $(if $(filter command line,$(origin PARTS)),,$(wildcard src/main.c))
SIM_SRC := $(sort $(filter-out tests/sim/test_%,$(wildcard tests/sim/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
INTEGRATION_SRC := $(sort $(wildcard integration/*.c))
# tests/<part>/test_*.c are test programs, run_*.c are programs that a script runs; the other .c files of the
# same folder are linked into each of them, tests/test.c and tests/lib/*.c into all (as an archive).
TEST_LIB_SRC := $(sort $(wildcard tests/*.c tests/lib/*.c))
TEST_DIRS := $(if $(filter command line,$(origin PARTS)),$(patsubst %,tests/%/,$(notdir $(PARTS))),tests/*/)
UNIT_DIRS := $(filter-out tests/fuzz/ tests/bench/ tests/lib/,$(sort $(dir $(wildcard $(addsuffix *.c,$(TEST_DIRS))))))
UNIT_SRC := $(foreach d,$(UNIT_DIRS),$(wildcard $(d)test_*.c))
RUN_SRC := $(foreach d,$(UNIT_DIRS),$(wildcard $(d)run_*.c))

objects = $(patsubst %.c,$(O)/obj/%.o,$(1))
LIB := $(O)/libcoracle.a
NET_LIB := $(O)/libcoraclenet.a
CHECK_LIB := $(O)/libcoraclecheck.a
TEST_LIB := $(O)/libcoracletest.a
UNIT_BIN := $(patsubst %.c,$(O)/%,$(UNIT_SRC))
LONG_FIRST := $(filter %/test_wal_crash %/test_wal_damage %/test_review_raft %/test_differential %/test_snapshot %/test_feed, $(UNIT_BIN))
RUN_BIN := $(patsubst %.c,$(O)/%,$(RUN_SRC))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(FUZZ_SRC))
INTEGRATION_BIN := $(patsubst integration/%.c,$(O)/integration/%,$(INTEGRATION_SRC))
ALL_SRC := $(LIB_SRC) $(NET_SRC) $(CHECK_SRC) check/main.c $(MAIN_SRC) $(UNIT_SRC) $(RUN_SRC) $(SIM_SRC) $(FUZZ_SRC) \
    $(INTEGRATION_SRC) $(wildcard integration/lib/*.c) $(TEST_LIB_SRC) $(wildcard tests/*/*.c)

# --- Rules --------------------------------------------------------------------------------------

# Rewritten only when the flags change; every object depends on it.
FLAGS_NOW := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL)
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' > $@

# Pages that are compiled in, as lists of bytes.
PAGES := $(patsubst src/%,$(O)/gen/%.inc,$(wildcard src/http/pages/*))
$(O)/gen/%.inc: src/%
	@mkdir -p $(@D)
	$(Q)od -An -v -tu1 -w32 $< | sed 's/[0-9][0-9]*/&,/g' > $@
$(O)/obj/src/http/pages.o: $(PAGES)

$(O)/obj/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(call objects,$(LIB_SRC))
$(NET_LIB): $(call objects,$(NET_SRC))
$(CHECK_LIB): $(call objects,$(CHECK_SRC))
$(TEST_LIB): $(call objects,$(TEST_LIB_SRC))
# The list of members is remembered, so that a source that went away leaves the archive too.
$(LIB) $(NET_LIB) $(CHECK_LIB) $(TEST_LIB): $(O)/sources
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
ARCHIVED := $(LIB_SRC) $(NET_SRC) $(CHECK_SRC) $(TEST_LIB_SRC)
$(O)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(ARCHIVED)' | cmp -s - $@ || echo '$(ARCHIVED)' > $@
define link_program
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^)
endef

$(O)/coracle: $(call objects,$(MAIN_SRC)) $(NET_LIB) $(LIB)
	$(link_program) -lev -lm $(NODE_LIBS) $(FEATURE_LIBS)

# $(1): a program's source below tests/<part>/
define unit_rule
$(O)/$(basename $(1)): $(call objects,$(1) \
    $(filter-out $(dir $(1))test_% $(dir $(1))run_% tests/sim/main.c,$(wildcard $(dir $(1))*.c))) \
    $(TEST_LIB) $(if $(filter tests/net/%,$(1)),$(NET_LIB)) $(if $(filter tests/check/%,$(1)),$(CHECK_LIB)) $(LIB)
	$$(link_program) $(if $(filter tests/net/%,$(1)),-lev) -lm $(NODE_LIBS)
endef
$(foreach t,$(UNIT_SRC) $(RUN_SRC),$(eval $(call unit_rule,$(t))))

# Allocations go through tests/sim/allocation.c.
comma := ,
SIM_WRAP := $(addprefix -Wl$(comma)--wrap=mem_,alloc alloc_zero realloc alloc_array realloc_array copy_string)
$(O)/coracle-sim: $(call objects,$(SIM_SRC)) $(CHECK_LIB) $(LIB)
	$(link_program) $(SIM_WRAP) -lm $(NODE_LIBS)
$(O)/coracle-check: $(call objects,check/main.c) $(CHECK_LIB) $(LIB)
	$(link_program) $(NODE_LIBS)
# The load generator knows no part of the server, so that it cannot share a mistake with it.
$(O)/coracle-load: $(call objects,$(sort $(wildcard tests/bench/*.c)))
	$(link_program) -lm
# Allocations go through tests/fuzz/arena.c.
FUZZ_WRAP := $(SIM_WRAP) $(addprefix -Wl$(comma)--wrap=mem_,free map unmap used)
$(O)/fuzz/%: $(O)/obj/tests/fuzz/%.o $(call objects,$(filter-out $(FUZZ_SRC),$(wildcard tests/fuzz/*.c))) \
    $(TEST_LIB) $(CHECK_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(FUZZ_WRAP) -lm $(NODE_LIBS)
$(O)/integration/%: $(O)/obj/integration/%.o $(call objects,$(sort $(wildcard integration/lib/*.c))) $(TEST_LIB) $(CHECK_LIB) $(LIB)
	$(link_program) -lhiredis -lev -lm $(NODE_LIBS)

# --- What one asks for --------------------------------------------------------------------------

.PHONY: all help unit coracle check-program lib objects other-objects unit-programs programs sim-program load fuzz-programs integration-programs \
    FORCE clean
FORCE:
# Without src/main.c (a tree under construction) everything else is still compiled.
coracle: $(if $(MAIN_SRC),$(O)/coracle,lib)
check-program: $(O)/coracle-check
lib: $(LIB) $(NET_LIB)
objects: $(sort $(call objects,$(ALL_SRC)))
# What the fuzzers' build, which is clang's, does not compile.
other-objects: $(sort $(call objects,$(filter-out $(LIB_SRC) $(CHECK_SRC) $(FUZZ_SRC) $(TEST_LIB_SRC),$(ALL_SRC))))
unit-programs: $(UNIT_BIN) $(RUN_BIN)
sim-program: $(if $(SIM_SRC),$(O)/coracle-sim)
load: $(if $(wildcard tests/bench/load.c),$(O)/coracle-load)
fuzz-programs: $(FUZZ_BIN)
integration-programs: $(INTEGRATION_BIN)
# Side by side, those first that take longest; what each said comes in the order of their names. Status 3 means that FAIL lines were printed; anything else is a crash or a
# sanitizer's report.
unit: unit-programs
	@rm -rf $(O)/said; mkdir -p $(O)/said; \
	printf '%s\n' $(LONG_FIRST) $(filter-out $(LONG_FIRST),$(UNIT_BIN)) | xargs -P $$(nproc) -I{} sh -c 'said=$(O)/said/$$(echo {} | tr / -); \
	    {} >$$said 2>&1; status=$$?; \
	    [ $$status -eq 0 ] || [ $$status -eq 3 ] || echo "FAIL {} (exit status $$status)" >>$$said; \
	    exit $$((status != 0))'; failed=$$?; \
	cat $(O)/said/*; exit $$failed
clean:
	rm -rf $(B)

# The scripts call make again for each build they need; B, SEEDS and the like reach them so.
export B SEEDS FUZZ_SECONDS NODES V MAKE
.PHONY: test run sim mutants fuzz integration scripts lint includes coverage nightly soak bench trials \
    conformance
test:
	@tests/install-deps test
	@tests/run
scripts sim mutants fuzz integration lint includes:
	@V=1 tests/run $@
run:
	@tests/install-deps run
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc)) BUILD=release coracle
	@exec integration/run-cluster.sh $(B)/release/coracle
# Operators flipped one at a time, COUNT of them drawn with DRAW: an hour and more.
.PHONY: operator-mutants
operator-mutants:
	@tests/install-deps test
	@tests/mutants/operators $${COUNT:-40} $${DRAW:-1}
# Unit tests, scripts and COVERAGE_SEEDS seeds of four profiles; LIST=1 shows what raft/ and the log lack.
coverage:
	@mkdir -p $(B)
	@find $(B)/cov -name '*.gcda' -delete 2>/dev/null || true
	@$(MAKE) --no-print-directory BUILD=cov unit > $(B)/coverage.log 2>&1 || { tail -n 30 $(B)/coverage.log; exit 1; }
	@tests/raft/run-scripts $(B)/cov >> $(B)/coverage.log 2>&1 || { tail -n 30 $(B)/coverage.log; exit 1; }
	@$(MAKE) --no-print-directory BUILD=cov sim-program >> $(B)/coverage.log 2>&1 || { tail -n 30 $(B)/coverage.log; exit 1; }
	@for p in swarm compact churn corruption; do \
	    $(B)/cov/coracle-sim --profile $$p --seed 1 --seeds $${COVERAGE_SEEDS:-3} >> $(B)/coverage.log 2>&1 || { tail -n 5 $(B)/coverage.log; exit 1; }; \
	done
	@tests/coverage $(B)/cov
# Unit tests under valgrind, PARTS="src/base raft" for some; threads under ThreadSanitizer.
.PHONY: valgrind tsan
valgrind:
	@env -u PARTS -u MAKEFLAGS $(MAKE) --no-print-directory -j$$(nproc) B=$(B) BUILD=valgrind $(patsubst $(O)/%,$(B)/valgrind/%,$(UNIT_BIN))
	@tests/valgrind $(B)/valgrind $(patsubst $(O)/%,$(B)/valgrind/%,$(UNIT_BIN))
tsan:
	@$(MAKE) --no-print-directory BUILD=tsan coracle $(B)/tsan/tests/net/test_net
	@tests/tsan $(B)/tsan
nightly:
	@tests/install-deps test
	@tests/nightly
soak:
	@tests/soak
# Figures about hand-overs, fail-over, saturation and changes of membership, at full length: an hour and more. TRIALS, SECONDS_SATURATED and
# CHANGES for shorter ones. Every five-node topology is the simulator's.
trials:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle integration-programs
	@$(MAKE) --no-print-directory BUILD=sim sim-program
	@CORACLE_BUILD=$(B)/release V=1 TRIALS=$${TRIALS:-200} SECONDS_SATURATED=$${SECONDS_SATURATED:-3600} CHANGES=$${CHANGES:-1000} \
	    integration/run trials random_changes_under_load
	@$(B)/sim/coracle-sim --scenario "every five-node topology"
	@$(B)/sim/coracle-sim --scenario "a thousand cold starts"
bench:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle load
	@if [ -x tests/bench/run ]; then CORACLE_BUILD=$(B)/release tests/bench/run; else echo "tests/bench/run is missing"; exit 1; fi

# HTTP beside our own Redis protocol; what watchers cost.
.PHONY: bench-http
bench-http:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle $(B)/release/integration/watchers
	@CORACLE_BUILD=$(B)/release tests/bench/http-figures

# Collections beside redis-server: redis-benchmark's tests.
.PHONY: bench-collections
bench-collections:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle load
	@CORACLE_BUILD=$(B)/release tests/bench/collections
	@CORACLE_BUILD=$(B)/release tests/bench/collection-figures

# What snapshots, starts and memory cost, beside redis-server. BENCH_ONLY=memory,latency; see tests/bench/snapshot-figures.
.PHONY: bench-snapshots
bench-snapshots:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle load $(B)/release/tests/keyspace/run_digest_cost
	@CORACLE_BUILD=$(B)/release tests/bench/snapshot-figures

# Redis's own test suite, fetched from Debian. UNITS="type/string keyspace" for some; see tests/conformance/run.
conformance:
	@$(MAKE) --no-print-directory BUILD=release coracle
	@CORACLE=$(B)/release/coracle tests/conformance/run $(UNITS)

# Client libraries in every mode while the leader is killed, ended, or hands over: docs/CLIENTS.md.
.PHONY: clients
clients:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle integration-programs
	@CORACLE_BUILD=$(B)/release MATRIX=all V=1 integration/run matrix

# The same random commands to coracle and to redis-server, every reply compared: half of them to the leader, half to a follower, and of
# each half in RESP2, half in RESP3. COMMANDS=1000000; SEED=N (else one by chance, which is printed) says which.
.PHONY: differential
differential:
	@tests/install-deps test
	@$(MAKE) --no-print-directory BUILD=release coracle integration-programs
	@CORACLE_BUILD=$(B)/release DIFFERENTIAL_COMMANDS=$$(( $(or $(COMMANDS),1000000) / 2 )) ITEST_SLOW=30 $(if $(SEED),ITEST_SEED=$(SEED)) V=1 \
	    integration/run differential_on_leader differential_on_follower

# What the program knows about itself: docs/OPTIONS.md, the commands in docs/PROTOCOL.md, etc/coracle.conf, docs/coracle.1.
.PHONY: docs
docs:
	@$(MAKE) --no-print-directory BUILD=release coracle
	@docs/generate $(B)/release/coracle
	@etc/generate $(B)/release/coracle

# --- Installing ---------------------------------------------------------------------------------

# PREFIX: where it will be; DESTDIR: a folder that stands for / while a package is made. Nothing is compiled as root when
# `make` was run before. The configuration is never overwritten, and kept by uninstall, as is the data.
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
INSTALL_BIN := $(PREFIX)/bin
INSTALL_CONF := $(SYSCONFDIR)/coracle
INSTALL_MAN := $(PREFIX)/share/man/man1
INSTALL_UNIT := $(PREFIX)/lib/systemd/system
INSTALL_USER := $(PREFIX)/lib/sysusers.d
.PHONY: install uninstall
install:
	@$(MAKE) --no-print-directory BUILD=release coracle check-program
	@install -d $(addprefix $(DESTDIR),$(INSTALL_BIN) $(INSTALL_CONF) $(INSTALL_MAN) $(INSTALL_UNIT) $(INSTALL_USER))
	@install -m 755 $(B)/release/coracle "$(DESTDIR)$(INSTALL_BIN)/coracle"
	@install -m 755 $(B)/release/coracle-check "$(DESTDIR)$(INSTALL_BIN)/coracle-check"
	@install -m 644 docs/coracle.1 "$(DESTDIR)$(INSTALL_MAN)/coracle.1"
	@install -m 644 etc/coracle.sysusers "$(DESTDIR)$(INSTALL_USER)/coracle.conf"
	@sed 's|@BINDIR@|$(INSTALL_BIN)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' etc/coracle.service >"$(DESTDIR)$(INSTALL_UNIT)/coracle.service"
	@chmod 644 "$(DESTDIR)$(INSTALL_UNIT)/coracle.service"
	@if [ -e "$(DESTDIR)$(INSTALL_CONF)/coracle.conf" ]; then \
	    echo "$(INSTALL_CONF)/coracle.conf is there and stays as it is."; \
	else \
	    install -m 644 etc/coracle.conf "$(DESTDIR)$(INSTALL_CONF)/coracle.conf"; \
	fi
	@echo "Installed: $(INSTALL_BIN)/coracle and coracle-check, the man page, $(INSTALL_CONF)/coracle.conf, a systemd unit."
	@[ -n "$(DESTDIR)" ] || echo "As a service: systemd-sysusers && systemctl daemon-reload && systemctl enable --now coracle"
uninstall:
	@rm -f $(addprefix $(DESTDIR),$(INSTALL_BIN)/coracle $(INSTALL_BIN)/coracle-check $(INSTALL_MAN)/coracle.1 $(INSTALL_UNIT)/coracle.service $(INSTALL_USER)/coracle.conf)
	@echo "Removed. $(INSTALL_CONF) and the data stay."

help:
	@echo "make              build/release/coracle and coracle-check"
	@echo "make run          start a cluster on 127.0.0.1:7001.. (NODES=1|3|5), Ctrl-C stops it"
	@echo "make test         build and run every test, at most 20 minutes"
	@echo "make unit         unit tests of one build (BUILD=debug, PARTS=\"raft src/base\")"
	@echo "make sim          the simulator, SEEDS=$(SEEDS)"
	@echo "make mutants      every deliberate bug must be found"
	@echo "make operator-mutants  operators flipped in raft/ and the log: COUNT=40 DRAW=1"
	@echo "make fuzz         each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make scripts      scripted Raft scenarios"
	@echo "make integration  real processes: redis-cli, hiredis, nc, kill -9"
	@echo "make lint includes   the rules of the house"
	@echo "make conformance  Redis 7.0's own test suite against coracle"
	@echo "make differential COMMANDS=1000000 random commands, each compared with redis-server's answer"
	@echo "make clients      client libraries while the leader goes, in every mode"
	@echo "make bench        figures beside redis-server"
	@echo "make bench-collections  lists, hashes, sets, sorted sets beside redis-server"
	@echo "make bench-snapshots  latency during snapshots, joining, restarts, memory, disk, digests"
	@echo "make bench-http   HTTP beside RESP, and watchers"
	@echo "make docs         write what the program knows about itself: options, commands, coracle.conf, man page"
	@echo "make install      PREFIX=$(PREFIX) DESTDIR=; make uninstall takes it back"
	@echo "make coverage     lines and branches that the tests reach; fails below 95 % and 90 % of raft/ and the log"
	@echo "make valgrind tsan  unit tests under valgrind (PARTS=\"raft src/base\" for some); threads under ThreadSanitizer"
	@echo "make trials       hand-overs, fail-over, membership changes: TRIALS=200 SECONDS_SATURATED=3600 CHANGES=1000"
	@echo "make nightly soak all of it at full length; until stopped"
	@echo "make clean        remove $(B)/"

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)
