#!/bin/sh
# Move the stock control files aside: PostgreSQL reads one control file for each extension, and
# those of the stock package name versions with a compiled library. The rest of that package stays.
set -e

package=@PACKAGE@
directory=@DIRECTORY@

divert() {
    case "$(dpkg-divert --listpackage "$1")" in
    "$package") return ;;
    esac
    if [ -e "$1" ] && grep -q 'Part of pgpool-recovery\.' "$1"; then
        # `pgpool-recovery install` has placed it, and has moved the stock file, if there was one,
        # to just where the diversion wants it. dpkg replaces ours, and puts it back on an error.
        rename=--no-rename
    else
        # Without a file of ours beside it, the copy was outdated by an update of the stock package.
        rm -f "$1.before-pgpool-recovery"
        rename=--rename
    fi
    dpkg-divert --quiet --package "$package" --add "$rename" \
        --divert "$1.before-pgpool-recovery" "$1"
}

case "$1" in
install | upgrade)
    for name in pgpool_recovery pgpool_adm pgpool_regclass; do
        divert "$directory/$name.control"
    done
    ;;
abort-upgrade) ;;
*)
    echo "preinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
