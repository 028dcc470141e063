# Each target does its own set-up, so any of them works in a fresh clone. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Arguments of `trinity serve`: make serve ARGS="--port 9000"
ARGS ?=
# The binary that the client tests drive; they start and stop it themselves.
CLIENT_BINARY ?= .build/debug/trinity
# How long `make soak` keeps up its load.
SOAK_SECONDS ?= 1800
# Or how many requests; then the time does not count.
SOAK_REQUESTS ?=

# What `make fuzz` searches, of the cases of Tests/Fuzzing/FuzzTarget.swift, and how often each (0: until the time is up).
FUZZ_TARGET ?= tokenizerFile encoder template templateContext json requestBody httpRequest chunkedBody contentCoding \
    safetensors gguf tlsRecords rankMessage
FUZZ_RUNS ?= 10000000
# Or for how long at most (0: as long as it takes).
FUZZ_SECONDS ?= 0
FUZZ_FOLDER = Fuzzing/.build/inputs

.PHONY: help setup build serve model test test-all simulate clients ranks ranks-quick frameworks check lint format docs package tidy tsan fuzz soak clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install missing Debian packages of the build
	@script/setup

# MPI=1: with the trait for several hosts, docs/scaling.md.
build: setup ## Build .build/release/trinity; MPI=1 for several hosts
	$(if $(MPI),script/setup --mpi)
	swift build -c release --product trinity $(if $(MPI),--traits MPI)

serve: build ## Build and serve the default model; options in ARGS
	.build/release/trinity serve $(ARGS)

model: build ## Make the default model again, in .build/model; options of make_model.py in ARGS
	python3 Models/recipe/make_model.py $(ARGS)

# Every suite. Slow tests use a sample of their seeds, simulations and kernel sets.
test: setup ## Build once and run the Swift tests
	swift build --build-tests
	swift test --skip-build --disable-xctest

test-all: export TRINITY_TEST_ALL = 1
test-all: test ## The same with all seeds, simulations and kernel sets

# A life that fails names its seed.
SIMULATION_SEED ?= 1
SIMULATION_LIVES ?= 100000

simulate: setup ## Run many seeded simulations of the whole server; SIMULATION_SEED, SIMULATION_LIVES
	swift build --build-tests
	SIMULATION_SEED=$(SIMULATION_SEED) SIMULATION_LIVES=$(SIMULATION_LIVES) \
	    swift test --skip-build --disable-xctest --filter ServerSimulationTests

clients: ## Run the client tests (Python) against the debug build
	@script/setup --ci
	swift build --product trinity
	TRINITY_BINARY=$(CLIENT_BINARY) .venv/bin/python -m pytest Tests/Clients

# Each folder has packages that exclude those of the others and of the client tests, seven gigabytes in all: for a weekly run.
FRAMEWORKS ?= $(notdir $(patsubst %/,%,$(dir $(wildcard Tests/Clients/Frameworks/*/requirements.txt))))

# A scratch path of its own: the trait changes the flags of some modules.
ranks: ## Run the tests of several ranks under mpirun
	@script/setup --ci
	@script/setup --mpi
	swift build --product trinity --traits MPI --scratch-path .build-mpi
	TRINITY_BINARY=.build-mpi/debug/trinity .venv/bin/python -m pytest Tests/Clients/Ranks

ranks-quick: ## Run the main tests of several ranks with a binary made from the debug build
	@script/setup --ci
	@script/setup --mpi
	swift build --product trinity
	script/build-with-mpi .build-mpi/quick/trinity
	TRINITY_BINARY=.build-mpi/quick/trinity .venv/bin/python -m pytest Tests/Clients/Ranks -m quick

frameworks: ## Run the tests with frameworks and programs that have their own clients
	@script/setup --frameworks
	swift build --product trinity
	failed=; for name in $(FRAMEWORKS); do \
	    TRINITY_BINARY=$(CLIENT_BINARY) .venv-$$name/bin/python -m pytest --confcutdir Tests/Clients/Frameworks \
	        Tests/Clients/Frameworks/$$name || failed="$$failed $$name"; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi

check: lint test ## Run the checks required before a commit: format, then the Swift tests

lint: ## Report what `make format` would change
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Fuzzing/Package.swift Fuzzing/Sources

format: ## Format the sources in place
	swift format --in-place --parallel --recursive Package.swift Sources Tests Fuzzing/Package.swift Fuzzing/Sources

docs: ## Write the tables of options into docs/options.md
	swift build --product trinity
	.build/debug/trinity update-manual docs/options.md

# A scratch path of its own: the Swift libraries are linked into the binary, which takes other flags for every module.
package: setup ## Build an archive and a Debian package in .build/package
	swift build -c release --product trinity --static-swift-stdlib --scratch-path .build-static
	script/package .build-static/release/trinity .build/package

tidy: setup ## Check layering, forbidden constructs and documentation only
	swift build --build-tests
	swift test --skip-build --disable-xctest --filter TidyTests

# The sanitizer replaces the allocator that MemoryAllocatorTests checks.
tsan: setup ## Run the tests of HTTP, server and engine threads under the thread sanitizer
	TSAN_OPTIONS="suppressions=$(CURDIR)/Tests/thread-sanitizer.supp" \
	swift test --sanitize thread --scratch-path .build-tsan --disable-xctest --no-parallel \
	    --filter 'HTTPTests|ServerTests|LLMEngineTests|WorkerPoolTests' --skip MemoryAllocatorTests

# Inputs are as long as the target's own limits let them matter: longer ones only cost time.
# Swift's own crash reports would keep libFuzzer from writing down the input that failed.
fuzz: setup ## Run coverage-guided fuzzing; FUZZ_TARGET, FUZZ_RUNS, FUZZ_SECONDS
	cd Fuzzing && swift build -c release --sanitize fuzzer
	for target in $(FUZZ_TARGET); do \
	    case $$target in \
	        httpRequest | chunkedBody) bytes=1024 ;; \
	        contentCoding | safetensors | tlsRecords | rankMessage) bytes=2048 ;; \
	        *) bytes=4096 ;; \
	    esac && \
	    mkdir -p $(FUZZ_FOLDER)/$$target/corpus $(FUZZ_FOLDER)/$$target/failed && \
	    FUZZ_TARGET=$$target SWIFT_BACKTRACE=enable=no Fuzzing/.build/release/Fuzzer \
	        -runs=$(if $(filter 0,$(FUZZ_RUNS)),-1,$(FUZZ_RUNS)) -max_total_time=$(FUZZ_SECONDS) \
	        -timeout=10 -rss_limit_mb=2048 -max_len=$$bytes -print_final_stats=1 \
	        -dict=Tests/Fuzzing/Dictionaries/$$target.txt -artifact_prefix=$(FUZZ_FOLDER)/$$target/failed/ \
	        $(FUZZ_FOLDER)/$$target/corpus Tests/Fuzzing/Corpus/$$target || exit 1; \
	done

soak: build ## Load servers with aborting, slow and hostile clients and check for leaks
	@script/setup --ci
	TRINITY_BINARY=.build/release/trinity .venv/bin/python Tests/Clients/soak.py --seconds $(SOAK_SECONDS) \
	    $(if $(SOAK_REQUESTS),--requests $(SOAK_REQUESTS))

clean: ## Remove the build products
	rm -rf .build .build-static .build-tsan .build-mpi Fuzzing/.build .venv .venv-*
