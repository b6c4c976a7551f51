# SPDX-License-Identifier: Apache-2.0
#
# The short way in; meson.build is the build. Every folder that is built lies under build/:
# the release at its top, the others in build/.debug, build/.asan, build/.tsan, build/.clang.

BUILD = tools/build
DEBUG = --buildtype=debug -Dtests=true

.PHONY: build packages run test quick bench bench-backlog bench-upgrade sim sim-faults fuzz crash check tidy \
    format clean debug asan tsan clang

build: # build/takt, and the examples beside it
	@tools/packages check run
	@$(BUILD) build

packages: # install what is missing, asking first
	@tools/packages install run test

run: # the bakery: a whole line on this machine
	@tools/packages install run
	@$(BUILD) build
	@examples/bakery/run.sh

test: # everything that must hold before a commit lands
	@tools/packages install run test
	@test/run all

check: # like test, for an earlier answer: no system tests
	@tools/packages check run test
	@test/run check

quick: # a debug build and its unit tests, in seconds
	@tools/packages check run test
	@test/run quick

bench:
	@tools/packages install run test
	@$(BUILD) build
	@bench/run

bench-upgrade: # a stop and a start with a million messages; sends beside a backup
	@tools/packages check run test
	@$(BUILD) build
	@bench/upgrade

bench-backlog: # ten million messages in a queue: BACKLOG='--count 1000000' for fewer
	@tools/packages install run test
	@$(BUILD) build
	@bench/backlog $(BACKLOG)

sim: # a minute of new seeds: crashes, failing disks, clients; every promise is checked
	@tools/packages check run
	@sim/run 60

sim-faults: # each mistake of sim/faults.h, made on purpose, must be found
	@tools/packages check run
	@$(BUILD) build
	@build/takt-sim faults

SECONDS = 200

fuzz: # any bytes to every reader, SECONDS for each: what they did, found and covered
	@tools/packages check run test
	@CC=clang $(BUILD) build/.fuzz --buildtype=debug -Doptimization=1 -Dfuzz=true \
	    -Db_sanitize=address,undefined
	@fuzz/run $(SECONDS)

KILLS = 300
SEED =

crash: # takt under load, killed at random and at every point of its writing; then a whole line
	@tools/packages check run test
	@$(BUILD) build
	@/usr/bin/python3 test/queue_crash.py $(KILLS) $(SEED)
	@CRASH_SEED=$(or $(SEED),$$$$) /usr/bin/python3 -m pytest -s test/test_crash.py -c test/pytest.ini

tidy:
	@tools/tidy

format:
	@git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' | \
	    xargs -0 -r clang-format -i

clean:
	rm -rf build

debug:
	@$(BUILD) build/.debug $(DEBUG)

asan: # address and undefined-behaviour sanitizers
	@$(BUILD) build/.asan $(DEBUG) -Doptimization=1 -Db_sanitize=address,undefined

tsan: # thread sanitizer
	@$(BUILD) build/.tsan $(DEBUG) -Doptimization=1 -Db_sanitize=thread

clang: # the other compiler's warnings
	@CC=clang $(BUILD) build/.clang --buildtype=debugoptimized -Dtests=true
