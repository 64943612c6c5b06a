#!/bin/sh
set -e

package=@PACKAGE@
directory=@DIRECTORY@

case "$1" in
configure)
    # What an earlier `pgpool-recovery install` has placed, and this package does not have.
    for file in "$directory"/pgpool_*--*.sql; do
        if grep -q 'Part of pgpool-recovery\.' "$file" &&
            ! grep -qxF "$file" "/usr/share/pgpool-recovery/owned/$package"; then
            rm "$file"
        fi
    done
    ;;
abort-upgrade | abort-remove | abort-deconfigure) ;;
*)
    echo "postinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
