# Every target does its own set-up: it needs Go, git and make, and says what else it installs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

GO ?= go
FUZZTIME ?= 1m
SEED ?= 1
# What failed tests write, such as the log of a simulated network, stays in .tools/artifacts.
KEEP = -artifacts -outputdir $(shell mkdir -p .tools/artifacts && cd .tools/artifacts && pwd)
PLATFORMS := linux/arm64 darwin/arm64 freebsd/amd64
TOOL := $(GO) tool -modfile=tools/go.mod
COUNT := $(GO) run ./internal/testcount
PROTOS = $(shell cd proto && find . -name '*.proto' | sort | cut -c 3-)
# Under the race detector. The detector now and then fails itself in bubbles of fake time with very many goroutines (go.dev/issue/78156). That is no
# finding: a package where that happens, and nothing else, runs once more, twice at most. The large tests of simulated clusters, where it happens
# most, have a process each.
define RACE
names=$$(mktemp); ran=$$(mktemp); \
raced() { \
  flags="$$1"; packages="$$2"; \
  for try in 1 2; do \
    { $(GO) test -race -timeout 20m -json $(KEEP) $$flags $$packages && echo ok >$$ran || echo failed >$$ran; } | $(COUNT) -again $$names || status=1; \
    packages=$$(cat $$names); \
    if [ -z "$$packages" ]; then [ "$$(cat $$ran)" = ok ] || status=1; return 0; fi; \
  done; \
  $(GO) test -race -timeout 20m -json $(KEEP) $$flags $$packages || status=1; \
}; \
raced '' "$$($(GO) list ./... | grep -v '/internal/simcluster$$')"; \
for name in TestHistories TestSessions TestKeys; do raced "-run ^$$name\$$" ./internal/simcluster; done; \
raced '-skip ^(TestHistories|TestSessions|TestKeys)$$' ./internal/simcluster; \
rm -f $$names $$ran
endef
GOFILES = git ls-files --cached --others --exclude-standard '*.go'

.PHONY: help run build test check race archtest cross cluster cluster-test race-cluster sim fuzz bench bench-actors interop proto proto-check cc erlang postgres nftables clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build the server and start it on the embedded store (ARGS='--domain example.org' adds flags)
	@exec bin/jackdaw serve $(ARGS)

build: ## Build bin/jackdaw
	$(GO) build -o bin/jackdaw ./cmd/jackdaw

test: cc postgres nftables check ## All checks, then all tests with the race detector; counts at the end. About 10 minutes on two cores with nothing built
	@# With the race detector, each test runs once; without it, those packages again that leave a test out under it.
	@{ status=0; $(RACE); \
	   plain=$$(git grep -l --untracked '^//go:build !race' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's,^,./,'); \
	   [ -z "$$plain" ] || $(GO) test -timeout 15m -json $(KEEP) $$plain || status=1; \
	   exit $$status; } | $(COUNT)

check: fmt-check vet proto-check archtest cross ## What needs no test run: format, vet, staticcheck, generated code, rules, cross-compiling

.PHONY: fmt-check vet
fmt-check:
	@files=$$($(GOFILES) | xargs $$($(GO) env GOROOT)/bin/gofmt -l); if [ -n "$$files" ]; then echo "not formatted (gofmt -w):" $$files; exit 1; fi

vet:
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	$(GO) -C tools vet ./...

archtest: ## The rules of the code: import table, sizes, documentation, goroutines
	$(GO) test -count=1 ./internal/archtest ./internal/testcount

race: cc postgres nftables ## The tests with the race detector alone (PKG=./store/... for a part)
	@{ status=0; $(if $(PKG),$(GO) test -race -timeout 20m -json $(KEEP) $(PKG) || status=1,$(RACE)); exit $$status; } | $(COUNT)

cross: ## Compile for linux/arm64, darwin/arm64 and freebsd/amd64
	@# Unoptimised, which takes a third less time and finds the same errors.
	@for p in $(PLATFORMS); do echo "compiling for $$p"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -gcflags='all=-N -l' ./...; done

cluster: build postgres ## Start three nodes and PostgreSQL on loopback addresses, and say what to try; Ctrl-C ends them
	@$(GO) build -o .tools/cluster ./benchmarks/cluster
	@exec .tools/cluster --demo --binary bin/jackdaw $(ARGS)

cluster-test: build postgres nftables ## Show every fault of a cluster five times (ARGS='--only kill --json' for less); as root: else those of the network are left out, and it fails
	@$(GO) build -o .tools/cluster ./benchmarks/cluster
	@exec .tools/cluster --binary bin/jackdaw $(ARGS)

race-cluster: cc postgres nftables ## Every fault of a cluster in short, and its misuse, on nodes that have the race detector; it fails if one of them says a word
	@# A paused node is left out: what its peers keep for it is bounded in bytes, of which the detector takes several times as many.
	@$(GO) build -race -o .tools/jackdaw-race ./cmd/jackdaw
	@races=$$(mktemp -d); trap 'rm -rf $$races' EXIT; failed=0; \
	{ status=0; TESTNODE_BINARY=$(CURDIR)/.tools/jackdaw-race GORACE="log_path=$$races/node" \
	  $(GO) test -count=1 -p 1 -timeout 60m -skip '^TestMisuse$$/^paused$$' -json $(KEEP) ./benchmarks/cluster ./internal/testcluster ./internal/misuse || status=1; \
	  exit $$status; } | $(COUNT) || failed=1; \
	for said in $$races/node.*; do [ ! -e $$said ] || { cat $$said; failed=1; }; done; exit $$failed

sim: ## Histories of whole clusters in fake time: five seeds of each, every interleaving of a handoff, up to 100 nodes (SEED=7 for others)
	@$(GO) test -count=1 -timeout 120m -json $(KEEP) ./internal/simcluster -seeds 5 -seed $(SEED) -every -large | $(COUNT)

fuzz: ## Run every fuzz target for a minute (FUZZTIME=10s for less)
	@# Without a failing input, "context deadline exceeded" is the go command's word for an input that ran when the time was over.
	@out=$$(mktemp); trap 'rm -f $$out' EXIT; passed=0; failed=0; \
	while IFS=: read -r file name; do \
	  dir=./$$(dirname $$file); echo "$$name in $$dir"; \
	  if $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$dir </dev/null 2>&1 | tee $$out || \
	    { grep -q '^ *context deadline exceeded$$' $$out && ! grep -q 'Failing input' $$out; }; \
	  then passed=$$((passed+1)); else failed=$$((failed+1)); fi; \
	done < <(git grep --untracked -o -E '^func Fuzz[A-Za-z0-9_]*' -- '*_test.go' | sed 's/func //'); \
	echo "$$passed passed, $$failed failed"; [ $$failed = 0 ] && [ $$passed -gt 0 ]

bench: ## Run the Go benchmarks; the drivers that need a server are named at the end
	$(GO) test -run '^$$' -bench . -benchmem $$(git grep -l --untracked '^func Benchmark' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's,^,./,')
	@echo 'Against a real server, which they build and start (docs/BENCHMARKS.md):'
	@for d in benchmarks/*/; do if grep -ql '^package main' $$d*.go; then echo "  go run ./$${d%/} -h"; fi; done

bench-actors: erlang ## Install Erlang (apt-get) and measure actors beside it and others (ARGS='--only fanin' for a part)
	$(GO) run ./benchmarks/actors --require $(ARGS)

interop: postgres ## Install ordinary XMPP clients (apt-get, npm) and run them against servers; prints what each can do
	@internal/interop/install.sh
	@table=$$(mktemp); trap 'rm -f $$table' EXIT; \
	{ status=0; JACKDAW_INTEROP=1 INTEROP_TABLE=$$table $(GO) test -count=1 -timeout 20m -json ./internal/interop || status=1; \
	  cat $$table; exit $$status; } | $(COUNT)

proto: ## Generate the Go code of proto/
	$(GO) -C tools build -o ../.tools/protogen ./protogen
	.tools/protogen $(PROTOS)

proto-check: ## Fail if the committed code of proto/ isn't what its definitions generate
	@$(GO) -C tools build -o ../.tools/protogen ./protogen
	@out=$$(mktemp -d); trap 'rm -rf $$out' EXIT; \
	for p in $(PROTOS); do mkdir -p $$out/$$(dirname $$p); done; \
	.tools/protogen -o $$out $(PROTOS); \
	diff -r -x '*.proto' proto $$out || { echo 'proto/ is not what its definitions generate: make proto'; exit 1; }

cc: # The race detector needs a C compiler.
	@command -v gcc >/dev/null || { \
	  echo 'installing gcc with apt-get: the race detector needs a C compiler'; \
	  root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	  $$root apt-get update -q && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends gcc libc6-dev; }

erlang: # What bench-actors compares with.
	@command -v erl >/dev/null && command -v erlc >/dev/null || { \
	  echo 'installing erlang-base with apt-get'; \
	  root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	  $$root apt-get update -q && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends erlang-base; }

postgres: # What the tests of the shared store need. The server that Debian's package would set up and start is left out.
	@[ -n "$${TESTPG_BIN:-}" ] || command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  echo 'installing postgresql with apt-get'; \
	  root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	  $$root apt-get update -q && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-common && \
	  $$root sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf && \
	  $$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; }

nftables: # What cuts networks in the tests of clusters, where they run as root: elsewhere those faults are left out.
	@[ "$$(id -u)" != 0 ] || { command -v nft && command -v ip; } >/dev/null || { \
	  echo 'installing nftables and iproute2 with apt-get'; \
	  apt-get update -q && env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nftables iproute2; }

clean: ## Delete what was built; data folders stay
	rm -rf bin .tools
