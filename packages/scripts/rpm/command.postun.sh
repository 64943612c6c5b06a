if [ "$1" -eq 0 ] && [ -d /var/lib/pgpool-recovery-check ]; then
    find /var/lib/pgpool-recovery-check -delete
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload ||
        echo 'pgpool-recovery: warning: systemd did not read its units again' >&2
fi
