#!/bin/sh
set -e

@COMPILE@

case "$1" in
remove | upgrade | deconfigure | failed-upgrade)
    remove_compiled
    ;;
*)
    echo "prerm called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
