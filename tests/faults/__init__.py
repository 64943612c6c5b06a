"""What people see today when things break, and what they see with ours (facts/breakage.md)."""
