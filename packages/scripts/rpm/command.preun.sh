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
fi
