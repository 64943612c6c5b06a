#!/bin/sh
set -e

@COMPILE@

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop pgpool-recovery-check.timer pgpool-recovery-check.service ||
        echo 'pgpool-recovery: warning: pgpool-recovery-check.timer was not stopped' >&2
fi

if [ "$1" = remove ]; then
    for stage in /var/lib/postgresql/*/*/recovery_1st_stage; do
        if [ -f "$stage" ] && grep -q 'exec /usr/bin/pgpool-recovery ' "$stage"; then
            echo "pgpool-recovery: warning: the stage commands in ${stage%/*} call what is removed" \
                "now, so recoveries fail while that server is the primary" >&2
        fi
    done
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
