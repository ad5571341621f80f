#!/bin/sh
# Runs a command quietly, says every 15 s how long it has been at it, and shows the
# end of its output when it fails. Usage: progress.sh WHAT ABOUT COMMAND...
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
need go
progress "$@"
