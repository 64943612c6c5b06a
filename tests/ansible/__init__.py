"""The real ansible-playbook against the hosts of a running stock cluster."""
