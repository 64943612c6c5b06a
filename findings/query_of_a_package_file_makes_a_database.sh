#!/bin/sh
# "rpm -qp FILE" queries a package file, and needs no database of installed packages. Nevertheless
# rpm makes the directory of --dbpath, with its parents, and a database in it, because it looks
# there for keys before it reads the package's header. "rpm -q NAME", which does need a database,
# makes it too, only to say that the package is not installed. With --nosignature, "rpm -qp" makes
# nothing.
#
# Runs Debian 12's rpm, unpacked into a temporary directory, with the libraries that it depends on.
set -eu
version=4.18.0+dfsg-1+deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/download"
(cd "$work/download" &&
    apt-get download -q "rpm=$version" "rpm-common=$version" "librpm9=$version" \
        "librpmio9=$version" "librpmbuild9=$version" "librpmsign9=$version" >/dev/null 2>&1)
for package in "$work"/download/*.deb; do dpkg -x "$package" "$work/root"; done
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH RPM_CONFIGDIR="$work/root/usr/lib/rpm" HOME="$work"
rpm=$work/root/usr/bin/rpm
"$rpm" --version
printf '%s\n' 'Name: one' 'Version: 1' 'Release: 1' 'Summary: one' 'License: none' \
    'BuildArch: noarch' '%description' 'one' '%files' >"$work/one.spec"
"$work/root/usr/bin/rpmbuild" -bb --quiet --target noarch-linux --define "_topdir $work/build" \
    --define "_rpmdir $work" --define '_build_name_fmt %%{NAME}.rpm' "$work/one.spec" >/dev/null
seen=
try() { # Print what a query says, and what is then in the directory of --dbpath.
    said=$("$rpm" --dbpath "$work/new/folder" "$@" 2>&1) || true
    made=$( (cd "$work" && find new -type f -name '*.sqlite') 2>/dev/null) || true
    rm -rf "$work/new"
    echo "$* says $said; made: ${made:-nothing}" | sed "s|$work/||g"
    seen="$seen|$made"
}
try -qp "$work/one.rpm"
try -q one
try -qp --nosignature "$work/one.rpm"
[ "$seen" = '|new/folder/rpmdb.sqlite|new/folder/rpmdb.sqlite|' ]
