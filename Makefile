# Patchbay's targets; `make help` lists them. Tools that are not on PATH are put
# into .tools, which Git ignores.
.POSIX:
.SUFFIXES:
.PHONY: help build tools demo test e2e warm bench bench-xds bench-modules e2e-azure test-tofu lint cross clean

TESTFLAGS =
# Version and commit come from Git where it may be asked.
BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=$$(git status >/dev/null 2>&1 && echo true || echo false)
# What the tests and the demo run with: the chosen tools first, providers from
# the mirror alone.
ENV = PATH="$$PWD/.tools/bin:$$PATH" TF_CLI_CONFIG_FILE="$$PWD/.tools/terraformrc" CHECKPOINT_DISABLE=1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

build: ## build bin/patchbay
	@sh e2e/tools/progress.sh 'building bin/patchbay' '1 min the first time' env $(BUILD) -o bin/patchbay ./cmd/patchbay

tools: ## find or build what the tests and the demo need: Consul, Terraform, NGINX, HAProxy, nft, BusyBox, Envoy, Prometheus
	@sh e2e/tools/tools.sh

demo: ## show Patchbay at work on real servers; DEMO_HOLD=1 keeps it running
	@sh e2e/tools/tools.sh consul terraform nginx envoy
	@$(MAKE) --no-print-directory build
	@go build -o bin/demo ./e2e/demo
	@$(ENV) ./bin/demo

test: tools warm ## run all tests; TESTFLAGS adds flags of go test
	$(ENV) go test -race -shuffle=on -timeout 30m $(TESTFLAGS) ./...

e2e: tools warm ## run the tests of the built binary alone, telling each step
	$(ENV) go test -race -shuffle=on -timeout 30m -v $(TESTFLAGS) ./e2e/...

# The plans of the shipped modules, compared with the same files as under Terraform.
test-tofu: ## compare the plans of the shipped modules over the pinned OpenTofu, which is built the first time
	@sh e2e/tools/tools.sh tofu local
	$(ENV) TEST_TERRAFORM="$$PWD/.tools/opentofu" go test -count=1 -p 1 -timeout 20m -run 'Golden|PlansWhatItPlanned' $(TESTFLAGS) ./templates/internal/...

warm:
	@sh e2e/tools/progress.sh 'compiling with the race detector' '2 min the first time' go build -race ./...

# Apart from the others, as Vault takes some 15 min to build where none is installed.
e2e-vault: ## run the tests of provider values against a real Vault
	@sh e2e/tools/tools.sh consul vault cc
	$(ENV) go test -race -shuffle=on -timeout 10m -tags vault -run RealVault $(TESTFLAGS) ./agent/internal/dynamic

# Apart from the others, as the provider takes some 15 min to build the first time and
# waits for Azure in real time.
e2e-azure: ## run the Azure modules through the real azurerm provider against a stand-in of Azure
	@sh e2e/tools/tools.sh terraform nginx azurerm
	$(ENV) go test -shuffle=on -timeout 30m -tags azure -run RealProvider -v $(TESTFLAGS) ./templates/internal/azure

bench: ## measure Patchbay against a bare terraform apply
	@sh e2e/tools/tools.sh consul terraform nginx local
	@$(MAKE) --no-print-directory build
	@$(ENV) go run ./e2e/bench

bench-xds: ## measure changes to the last of many sidecars, beside Consul's own server
	@sh e2e/tools/tools.sh consul
	@$(MAKE) --no-print-directory build
	@go build -o bin/bench-xds ./e2e/bench/xds
	@$(ENV) ./bin/bench-xds $(BENCHFLAGS)

bench-modules: ## measure one change of one instance with each shipped module, for 1, 100 and 1,000 instances
	@sh e2e/tools/tools.sh terraform nginx stream haproxy nft ip busybox curl sshd local
	@go build -o bin/bench-modules ./e2e/bench/modules
	@$(ENV) ./bin/bench-modules $(BENCHFLAGS)

lint: ## check format, vet, staticcheck, module files and scripts
	@sh e2e/tools/lint.sh

cross: ## build for the other platforms
	@sh e2e/tools/need.sh go
	@for platform in linux/arm64 darwin/amd64 darwin/arm64; do \
		echo "building for $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -o /dev/null ./cmd/patchbay || exit 1; \
	done

clean: ## remove what was built; .tools stays, as it is slow to build
	rm -rf bin sync-tasks
