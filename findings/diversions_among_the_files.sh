#!/bin/sh
# "dpkg-query --listfiles" (dpkg -L) prints one path per line, except for a diverted file: a line
# such as "diverted by other to: /usr/bin/tool.distrib" follows it, also on standard output, and
# for the package that is not the diverting one. What reads lines as paths, or looks for the end
# of a path in them, gets that sentence. Its manual says so, but not what prints paths only:
# --show with the format ${db-fsys:Files}, indented by a blank.
#
# Runs Debian 12's dpkg, unpacked into a temporary directory, with a database of its own.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
mkdir "$work/download"
(cd "$work/download" && apt-get download -q dpkg=1.21.23 >/dev/null 2>&1)
dpkg -x "$work"/download/dpkg_*.deb "$work/root"
query() { "$work/root/usr/bin/dpkg-query" --admindir="$work/database" "$@"; }
query --version | head -n 1
mkdir -p "$work/database/info"
echo 1 >"$work/database/info/format"
for package in one other; do
    printf '%s\n' "Package: $package" 'Status: install ok installed' 'Version: 1' \
        'Architecture: all' 'Maintainer: none' 'Description: none' '' >>"$work/database/status"
    printf '%s\n' /. /usr /usr/bin /usr/bin/tool >"$work/database/info/$package.list"
done
: >"$work/database/diversions"
count() { # Print what a package's list has about the tool.
    query --listfiles "$1" 2>/dev/null | grep tool
}
echo "without a diversion:"
count one
plain=$(count one | wc -l)
printf '%s\n' /usr/bin/tool /usr/bin/tool.distrib other >"$work/database/diversions"
echo "with one, the package whose file is diverted:"
count one
echo "the package that diverts it:"
count other
echo "\${db-fsys:Files} of the first one:"
only=$(query --show --showformat "\${db-fsys:Files}" one | grep tool)
echo "$only"
[ "$plain" = 1 ] && [ "$only" = ' /usr/bin/tool' ] &&
    [ "$(count one | sed 1d)" = 'diverted by other to: /usr/bin/tool.distrib' ] &&
    [ "$(count other | sed 1d)" = 'package diverts others to: /usr/bin/tool.distrib' ]
