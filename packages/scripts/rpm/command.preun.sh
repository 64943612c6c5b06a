@COMPILE@

# systemd's own package makes it read its units again after each transaction that changes some.
timer=pgpool-recovery-check.timer
if [ "$1" -eq 0 ]; then
    if [ -d /run/systemd/system ]; then
        systemctl --no-reload disable --now $timer pgpool-recovery-check.service ||
            echo "pgpool-recovery: warning: $timer was not stopped" >&2
    fi
    rm -f /etc/systemd/system/timers.target.wants/$timer
    remove_compiled
    # Without a running systemd, as in a container, the links are removed nevertheless.
    if [ -x /usr/bin/systemctl ]; then
        systemctl --quiet --no-reload disable pgpool-recovery-check.timer ||
            echo 'pgpool-recovery: warning: pgpool-recovery-check.timer was not disabled' >&2
    fi
    if [ -d /run/systemd/system ]; then
        systemctl stop pgpool-recovery-check.timer pgpool-recovery-check.service ||
            echo 'pgpool-recovery: warning: pgpool-recovery-check.timer was not stopped' >&2
    fi
fi
