#!/bin/sh
# Checks format, vet, staticcheck, module files, Terraform files and scripts; says
# everything that is wrong and fails then. In CI nothing may be left out.
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"
need go
need git
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
unset TF_CLI_CONFIG_FILE
export CHECKPOINT_DISABLE=1 PATH="$tools/bin:$PATH"
wrong=0

check() { # check NAME COMMAND...
	name=$1
	shift
	say "lint: $name"
	"$@" || {
		say "lint: $name FAILED"
		wrong=1
	}
}

# missing NAME: a tool that is not there; an error only in CI.
missing() {
	[ -z "${CI:-}" ] || wrong=1
	say "lint: $1 left out, it is not installed (make tools finds or builds it)"
}

formatted() {
	unformatted=$(git ls-files -z --cached --others --exclude-standard -- '*.go' | xargs -0 gofmt -l 2>&1) && [ -z "$unformatted" ] && return
	say "$unformatted" "need gofmt -w"
	return 1
}

tidy() {
	for dir in . e2e/tools/local ${CI:+e2e/tools e2e/tools/tofu e2e/tools/vault}; do
		GOWORK=off go -C "$dir" mod tidy -diff || {
			say "$dir: run go mod tidy"
			return 1
		}
	done
}

scripts() {
	git ls-files -z --cached --others --exclude-standard -- '*.sh' .ci/run | xargs -0 -n1 sh -n || return
	! command -v shellcheck >/dev/null 2>&1 ||
		git ls-files -z --cached --others --exclude-standard -- '*.sh' .ci/run | xargs -0 shellcheck -s sh -x -S warning
}

check gofmt formatted
check "go vet" go vet ./...
check "go vet with vault" go vet -tags vault ./agent/internal/dynamic
check "go vet with azure" go vet -tags azure ./templates/internal/azure
check "go vet e2e/tools/local" env GOWORK=off go -C e2e/tools/local vet ./...
check "$staticcheck" go run "$staticcheck" ./...
check "go mod tidy" tidy
check scripts scripts
if terraform=$(command -v terraform || command -v tofu); then
	check "terraform fmt" "$terraform" fmt -check -diff -recursive templates/modules e2e
else
	missing "terraform fmt"
fi
exit $wrong
