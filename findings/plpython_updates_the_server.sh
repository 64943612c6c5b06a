#!/bin/sh
# In Debian, PL/Python depends on exactly its own version of the server. So "apt-get install
# postgresql-plpython3-15", on a host whose server is some minor release behind, also updates the
# server, and the server package's prerm stops every cluster of that version first. An extension of
# another source, which depends on postgresql-15 of any version, leaves the server alone; so does
# PL/Python of the version that the server has, if it is named.
#
# apt only simulates, for Debian 12's packages, with a status file that says that the server is
# installed. Needs both versions in apt's lists (Debian 12, and its security updates).
set -eu
old=15.18-0+deb12u1
new=15.20-0+deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
printf '%s\n' 'Package: postgresql-15' 'Status: install ok installed' "Version: $old" \
    "Architecture: $(dpkg --print-architecture)" 'Maintainer: none' 'Description: none' \
    >"$work/status"
seen=
try() { # Print what installing a package would do to the server.
    apt-get --simulate -o Dir::State::status="$work/status" \
        -o Dir::State::extended_states=/dev/null -o Dir::Cache::pkgcache= \
        -o Dir::Cache::srcpkgcache= --no-install-recommends install "$1" >"$work/said"
    grep -q "^Inst ${1%%=*} " "$work/said"
    server=$(sed -n 's/^Inst postgresql-15 \[\(.*\)\] (\([^ ]*\) .*/\1 becomes \2/p' "$work/said")
    echo "apt-get install $1: the server ${server:-stays}"
    seen="$seen|$server"
}
apt-cache show "postgresql-plpython3-15=$new" | grep -o '^Depends: postgresql-15 [^,]*'
try "postgresql-plpython3-15"
try "postgresql-plpython3-15=$old"
try postgresql-15-pgpool2
mkdir "$work/download"
(cd "$work/download" && apt-get download -q "postgresql-15=$old" >/dev/null 2>&1)
dpkg -e "$work"/download/postgresql-15_*.deb "$work/control"
echo "the old server's prerm, which precedes the update:"
grep '^stop_version' "$work/control/prerm"
[ "$seen" = "|$old becomes $new||" ]
