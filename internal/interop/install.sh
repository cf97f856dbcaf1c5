#!/bin/sh
# Installs the XMPP clients that the tests of this folder run: Debian's packages with apt-get, @xmpp/client with npm. What is there
# already isn't touched, so that a second run takes no time. It wants Debian 12 or a system made from it, and root or sudo.
set -eu
cd "$(dirname "$0")"

say() { echo "interop: $*"; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "this needs root, and there is no sudo: $*" >&2
		exit 1
	fi
}

# Debian's packages by name. The programs are asked for by name instead where they may come from elsewhere.
missing=
for package in python3-slixmpp go-sendxmpp sendxmpp libstrophe-dev profanity-light; do
	case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null; then
		say "there is no apt-get to install these with:$missing" >&2
		exit 1
	fi
	say "installing$missing"
	as_root apt-get update -q
	# shellcheck disable=SC2086 # the list is meant to be split
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi

# The copy of the lock file says what was installed.
cd clients/xmppjs
if ! cmp -s package-lock.json node_modules/.installed; then
	say "installing @xmpp/client and what it needs (npm)"
	npm ci --ignore-scripts --no-audit --no-fund
	cp package-lock.json node_modules/.installed
fi
say "all clients are installed"
