#!/bin/sh
set -e

@COMPILE@

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop pgpool-recovery-check.timer pgpool-recovery-check.service ||
        echo 'pgpool-recovery: warning: pgpool-recovery-check.timer was not stopped' >&2
fi

case "$1" in
remove | upgrade | deconfigure | failed-upgrade)
    remove_compiled
    ;;
*)
    echo "prerm called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
