#!/bin/sh
# remember.sh FILE: puts the values of MEMORY_0, MEMORY_1, ... into FILE, all at once.
set -eu
umask 077

new=$1.new
trap 'rm -f -- "$new"' EXIT
n=0
: >"$new"
while eval "piece=\${MEMORY_$n-}" && [ -n "$piece" ]; do
	printf '%s' "$piece" >>"$new"
	n=$((n + 1))
done
mv -f -- "$new" "$1"
