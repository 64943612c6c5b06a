"""The house rules that no ready-made linter knows; `python -m ci.rules` names what breaks them.

Each module of this package is one rule: its docstring says what must hold and why, and its function
``violations(root)`` returns a line ``path:line: what is wrong`` for each place that breaks it.
"""
