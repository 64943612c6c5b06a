#!/bin/sh
set -e

package=@PACKAGE@
directory=@DIRECTORY@

undivert() {
    case "$(dpkg-divert --listpackage "$1")" in
    "$package") ;;
    *) return ;;
    esac
    rename=--rename
    # After an aborted installation, dpkg has put back what `pgpool-recovery install` had placed.
    if [ -e "$1" ]; then
        rename=--no-rename
    fi
    dpkg-divert --quiet --package "$package" --remove "$rename" \
        --divert "$1.before-pgpool-recovery" "$1"
}

case "$1" in
remove | abort-install | disappear)
    for name in pgpool_recovery pgpool_adm pgpool_regclass; do
        undivert "$directory/$name.control"
    done
    ;;
purge | upgrade | failed-upgrade | abort-upgrade) ;;
*)
    echo "postrm called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
