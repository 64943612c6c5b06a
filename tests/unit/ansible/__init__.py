"""What the collection for Ansible does without Ansible."""
