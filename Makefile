# `make` prints what there is. Recipes that need more than a line are in scripts/.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run build test check lint format bench load-test tunebench microbench libbench fuzz cross proto docs clean

# How long each fuzz target runs, and which: make fuzz T=5m F=Startup
T ?= 20s
F ?= .
# Handed on to `usher serve`, `go test` or the benchmark: make bench ARGS='-only simple/32'
ARGS ?=
# Packages to test: make test PKG=./internal/relay
PKG ?= ./...
# Packages without goroutines whose long tests run without the race detector: it would make them ten times as long.
ALONE := ./internal/forecast/... ./internal/staffing ./internal/simulation ./internal/tuner
# The race detector, unless there is no C compiler for it: make test RACE=
RACE ?= -race

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Build and start usher; without a config (ARGS='--config usher.yaml') on a PostgreSQL of its own
	@scripts/ensure postgres
	@$(MAKE) --no-print-directory build
	@exec bin/usher serve $(ARGS)

build: ## Build bin/usher
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -o bin/usher ./cmd/usher

test: ## Install what the tests need and run them all, on a real PostgreSQL
	@scripts/ensure postgres client node $(if $(RACE),race)
	@$(MAKE) --no-print-directory build
	USHER_CHAOS_SECONDS=$${USHER_CHAOS_SECONDS:-60} USHER_FAIRNESS_SECONDS=$${USHER_FAIRNESS_SECONDS:-60} go test $(RACE) -tags integration -timeout 20m $(ARGS) $(PKG)
	$(if $(RACE),go test -tags integration -timeout 10m $(ARGS) $(ALONE))

# All three look at the same build, with the race detector, so that nothing is compiled twice; vet has looked when the
# tests run. A program with the race detector sleeps for a second at its end, should a goroutine that is left over
# still race: with fifty test programs that is half a minute. make test lets them, and make lint looks without it.
check: ## The quick one, under a minute: format, vet, staticcheck, tests without PostgreSQL
	@scripts/ensure $(if $(RACE),race)
	@scripts/format
	go vet $(RACE) ./...
	GOFLAGS="$$(go env GOFLAGS) $(RACE)" "$$(go tool -n staticcheck)" ./...
	GORACE="atexit_sleep_ms=0 $$GORACE" go test $(RACE) -vet=off -timeout 2m $(ARGS) ./...

lint: ## Format, vet, staticcheck, known vulnerabilities
	@scripts/format
	go vet ./...
	go vet -tags integration ./...
	go tool staticcheck -tags integration ./...
	scripts/vulncheck

format: ## Format the Go files
	@scripts/format -w

bench: ## Measure usher beside PgBouncer (about an hour; ARGS='-help' tells how to run a part)
	@scripts/ensure postgres client pgbouncer
	@$(MAKE) --no-print-directory build
	@go build -o bin/bench ./bench
	@bin/bench $(ARGS)

load-test: ## Show connections in less than 10 ms under 10,000 clients (7 minutes; ARGS='--quick' to try it)
	@scripts/ensure postgres $(if $(findstring pgbouncer,$(ARGS)),pgbouncer)
	@$(MAKE) --no-print-directory build
	@exec bin/usher load-test $(ARGS)

tunebench: ## Compare what the tuner finds with a sweep of all sizes (12 minutes; ARGS='-run /write' a part)
	@scripts/ensure postgres client
	go test -tags integration -count 1 -timeout 30m -run TheTunerFinds -v $(ARGS) ./internal/tuner -long

microbench: ## Run the Go benchmarks: time and allocations of the hot paths
	go test -run '^$$' -bench . -benchmem $(ARGS) $(PKG)

libbench: ## Measure the library beside pgxpool, puddle and database/sql with benchstat (three minutes)
	@scripts/libbench $(ARGS)

fuzz: ## Run every fuzz target for a time: make fuzz T=20s
	@scripts/fuzz $(T) $(F)

cross: ## Build and vet for the other systems
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go build ./... && CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 go vet ./...
	CGO_ENABLED=0 GOOS=freebsd GOARCH=amd64 go build ./... && CGO_ENABLED=0 GOOS=freebsd GOARCH=amd64 go vet ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build ./...

proto: ## Generate the Go code of the gRPC contract with KEDA anew
	@scripts/proto

docs: ## Write the generated documents anew
	go generate ./...
	go test ./internal/config -run TestDocs -rewrite

clean: ## Remove what was built; not the private PostgreSQL in .usher
	rm -rf bin bench/out
