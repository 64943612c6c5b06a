#!/bin/sh
set -e

@COMPILE@

case "$1" in
triggered)
    # Another Python may be the default now, as after an upgrade of the distribution. The command
    # works without this, only slower; so it must not make that upgrade fail.
    remove_compiled
    compile || echo 'pgpool-recovery: warning: not byte-compiled; it will start slowly' >&2
    ;;
configure | abort-upgrade | abort-remove | abort-deconfigure)
    compile
    ;;
*)
    echo "postinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
