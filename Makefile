# Muster. The two commands that matter: "make demo" shows the main job, "make test" passes the tests.
# Every target needs git, make and Go; what else the tests need, scripts/test-servers names or installs.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN     := bin
CLIENTS := internal/deploy/clients/manifest.json
CLIENT_SOURCES := go.mod go.sum $(shell find cmd/muster-client internal/client internal/report internal/seal \
	internal/deploy/buildclients -name '*.go' -not -name '*_test.go' 2>/dev/null)

# Nothing that go vet looks at differs between the processors of a system.
VET_PLATFORMS := linux/amd64 windows/amd64 darwin/arm64 freebsd/amd64
PLATFORMS := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64 freebsd/amd64 freebsd/arm64

# Reproducible: no paths, no build ids, no cgo.
export CGO_ENABLED := 0
BUILD := $(GO) build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$(VERSION)"

.PHONY: build
build: $(BIN)/muster ## the server, with the clients for every platform inside

.PHONY: $(BIN)/muster
$(BIN)/muster: $(CLIENTS)
	@mkdir -p $(BIN)
	$(BUILD) -o $@ ./cmd/muster

.PHONY: clients
clients: $(CLIENTS) ## the clients for every platform, compressed, where the server embeds them
$(CLIENTS): $(CLIENT_SOURCES)
	$(GO) run ./internal/deploy/buildclients -version "$(VERSION)"

.PHONY: demo
demo: build ## two sweeps over a handful of hosts on loopback
	$(BIN)/muster demo

.PHONY: test
test: clients servers ## all tests; TESTFLAGS=-race for the race detector
	CGO_ENABLED=$(if $(findstring -race,$(TESTFLAGS)),1,0) $(GO) test -timeout 20m $(TESTFLAGS) ./...

.PHONY: servers
servers: ## install the servers that the tests talk to, or name what is missing
	@scripts/test-servers

.PHONY: fuzz
FUZZTIME ?= 5000x
fuzz: ## every fuzz target for FUZZTIME, as of go test -fuzztime
	@scripts/fuzz $(FUZZTIME)

.PHONY: faults
FAULTS_KILLS    ?= 500
FAULTS_TIME     ?= 40m
FAULTS_SEED     ?= 0
FAULTS_MUSTER   ?= $(BIN)/muster
FAULTS_PATIENCE ?= 2m
faults: build servers ## the fault bench: kill, cut and fill until FAULTS_KILLS, then balance the books; docs/faults.md
	$(GO) test -count 1 -timeout 0 ./internal/faults -v -run '^TestLongFaults$$' -args -faults.long \
		-faults.kills $(FAULTS_KILLS) -faults.time $(FAULTS_TIME) -faults.seed $(FAULTS_SEED) \
		-faults.patience $(FAULTS_PATIENCE) -faults.muster $(abspath $(FAULTS_MUSTER))

.PHONY: lint
lint: clients ## golangci-lint as pinned in tools/go.mod, and go vet for every system (-trimpath shares its cache with the builds)
	$(GO) tool -modfile=tools/go.mod golangci-lint run
	@for platform in $(VET_PLATFORMS); do \
		echo "go vet: $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO) vet -trimpath ./... || exit 1; \
	done

.PHONY: platforms
platforms: clients ## the server for every platform, into bin/<os>-<arch>
	@for platform in $(PLATFORMS); do \
		echo "go build: $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(BUILD) -o $(BIN)/$${platform%/*}-$${platform#*/}/ ./cmd/muster || exit 1; \
	done

.PHONY: bench
bench: clients ## every benchmark; compare two runs with: go tool -modfile=tools/go.mod benchstat OLD NEW
	$(GO) test -run '^$$' -bench . -benchmem $(BENCHFLAGS) ./...

.PHONY: clean
clean: ## what was built
	rm -rf $(BIN) internal/deploy/clients/*.zst $(CLIENTS)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
