#!/bin/sh
set -e

case "$1" in
remove)
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload ||
            echo 'pgpool-recovery: warning: systemd did not read its units again' >&2
    fi
    ;;
purge)
    deb-systemd-helper purge pgpool-recovery-check.timer
    rm -rf /var/lib/pgpool-recovery-check
    ;;
upgrade | failed-upgrade | abort-install | abort-upgrade | disappear) ;;
*)
    echo "postrm called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
