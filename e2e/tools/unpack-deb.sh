#!/bin/sh
# Fetches a Debian package with the system's package manager and unpacks it into
# DIR, without installing it, and with it the libraries that it needs and the system
# lacks. Usage: unpack-deb.sh PACKAGE FILE DIR
# Packages named PACKAGE-core and PACKAGE-light are tried until one holds FILE.
set -eu
cd "$3"

fetch() { # fetch PACKAGE: into this directory
	apt-get download "$1" || {
		[ "$(id -u)" -ne 0 ] || apt-get update
		apt-get download "$1" || return 1
	}
	dpkg-deb -x ./"$1"_*.deb . && rm -f ./*.deb
}

libraries() { # libraries PACKAGE: those it depends on that are not installed
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$1" | grep '^lib' | sort -u | while read -r library; do
		case $(dpkg-query -W -f '${db:Status-Abbrev}' "$library" 2>/dev/null) in
		ii*) ;;
		*) printf '%s\n' "$library" ;;
		esac
	done
}

for package in "$1" "$1-core" "$1-light"; do
	fetch "$package" || continue
	[ -e "$2" ] || continue
	# Under its name only when all is there: what has the name is not fetched again.
	mv "$2" "$2.part"
	if ldd "$2.part" | grep 'not found'; then
		for library in $(libraries "$package"); do fetch "$library"; done
	fi
	mv "$2.part" "$2"
	exit 0
done
exit 1
