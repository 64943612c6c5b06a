if [ "$1" -eq 0 ]; then
    rm -rf /var/lib/pgpool-recovery-check
fi
