#!/bin/sh
# Fetches a Debian package with the system's package manager and unpacks it into
# DIR, without installing it. Usage: unpack-deb.sh PACKAGE FILE DIR
# Packages named PACKAGE-core and PACKAGE-light are tried until one holds FILE.
set -eu
cd "$3"
for package in "$1" "$1-core" "$1-light"; do
	apt-get download "$package" || {
		[ "$(id -u)" -ne 0 ] || apt-get update
		apt-get download "$package" || continue
	}
	dpkg-deb -x ./"$package"_*.deb . && rm -f ./*.deb
	[ ! -x "$2" ] || exit 0
done
exit 1
