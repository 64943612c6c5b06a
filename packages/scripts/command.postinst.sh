#!/bin/sh
set -e

@COMPILE@

# After an installation in a venv, as the guide has it for hosts without packages.
tell_of_another_copy() {
    if [ -e /usr/local/bin/pgpool-recovery ]; then
        echo 'pgpool-recovery: warning: /usr/local/bin/pgpool-recovery is another copy, which' \
            'shells and ssh find before this one' >&2
    fi
    for stage in /var/lib/postgresql/*/*/recovery_1st_stage; do
        if [ -f "$stage" ] && grep -q 'Part of pgpool-recovery\.' "$stage" &&
            ! grep -q 'exec /usr/bin/pgpool-recovery ' "$stage"; then
            echo "pgpool-recovery: warning: the stage commands in ${stage%/*} call another copy;" \
                "before it is removed, run as their owner:" \
                "/usr/bin/pgpool-recovery install --data-directory ${stage%/*}" >&2
        fi
    done
}

case "$1" in
triggered)
    # Another Python may be the default now, as after an upgrade of the distribution. The command
    # works without this, only slower; so it must not make that upgrade fail.
    remove_compiled
    compile || echo 'pgpool-recovery: warning: not byte-compiled; it will start slowly' >&2
    ;;
configure | abort-upgrade | abort-remove | abort-deconfigure)
    compile
    tell_of_another_copy
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
