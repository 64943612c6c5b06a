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
    # The timer is not enabled. But if the administrator does that, a purge undoes it: this records
    # the links that it would have.
    deb-systemd-helper update-state pgpool-recovery-check.timer
    if [ -d /run/systemd/system ]; then
        systemctl --system daemon-reload ||
            echo 'pgpool-recovery: warning: systemd did not read its units again' >&2
    fi
    ;;
*)
    echo "postinst called with unknown argument \`$1'" >&2
    exit 1
    ;;
esac
