# shellcheck shell=sh
# Shell functions shared by the scripts beside this file. POSIX sh; source it.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
tools=$root/.tools

say() { printf '%s\n' "$*"; }

# fail WHAT WHAT_TO_DO: ends the script.
fail() {
	printf 'error: %s\n' "$1" >&2
	[ $# -lt 2 ] || printf '       %s\n' "$2" >&2
	exit 1
}

# need PROGRAM: a program that no script here can install.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	case $1 in
	go) fail "Go is not on PATH" "install Go $(sed -n 's/^go //p' "$root/go.mod") or newer and put it on PATH" ;;
	*) fail "$1 is not on PATH" "install it with the system's package manager" ;;
	esac
}

# installed PROGRAM: prints its path on PATH, leaving out what .tools holds.
installed() (
	IFS=:
	for dir in $PATH; do
		case $dir in "$tools"/*) continue ;; esac
		[ -n "$dir" ] && [ -x "$dir/$1" ] && [ ! -d "$dir/$1" ] && say "$dir/$1" && return
	done
	return 1
)

# at_least VERSION MINIMUM: compares dotted numbers; a suffix counts for nothing.
at_least() {
	awk -v have="$1" -v want="$2" 'BEGIN {
		split(have, h, "[.+-]"); n = split(want, w, ".")
		for (i = 1; i <= n; i++) if (h[i] + 0 != w[i] + 0) exit h[i] + 0 < w[i] + 0
	}'
}

# progress WHAT ABOUT COMMAND...: runs the command quietly, says every 15 s how
# long it has been at it, and shows the end of its output when it fails.
progress() {
	what=$1 about=$2
	shift 2
	log=$(mktemp) || exit 1
	say "$what ($about)"
	"$@" >"$log" 2>&1 </dev/null &
	child=$! began=$(date +%s) said=0
	trap 'kill "$child" 2>/dev/null; rm -f "$log"; exit 130' INT TERM HUP
	while kill -0 "$child" 2>/dev/null; do
		sleep 1
		took=$(($(date +%s) - began))
		if [ $((took - said)) -ge 15 ]; then
			said=$took
			say "$what: ${took} s, $about"
		fi
	done
	code=0
	wait "$child" || code=$?
	trap - INT TERM HUP
	if [ "$code" -ne 0 ]; then
		tail -n 20 "$log" >&2
	elif [ "$took" -ge 15 ]; then
		say "$what: done after ${took} s"
	fi
	rm -f "$log"
	return "$code"
}

# as_root COMMAND...: directly as root, else through sudo, which asks on a terminal only.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif ! command -v sudo >/dev/null 2>&1; then
		return 1
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# apt_install PACKAGE...: fails where there is no apt-get or no right to use it.
apt_install() {
	command -v apt-get >/dev/null 2>&1 || return 1
	progress "installing $*" "about 20 s" as_root sh -c \
		'export DEBIAN_FRONTEND=noninteractive; apt-get install -y --no-install-recommends "$@" || { apt-get update && apt-get install -y --no-install-recommends "$@"; }' \
		sh "$@"
}
