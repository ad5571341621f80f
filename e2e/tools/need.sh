#!/bin/sh
# Ends with a clear message when a program is missing. Usage: need.sh PROGRAM...
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
for program in "$@"; do need "$program"; done
