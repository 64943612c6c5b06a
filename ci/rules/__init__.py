"""Check the house rules that no ready-made linter has; `python -m ci.rules` prints violations.

Each module of this package is one rule: its docstring states what must hold and why, and its
function ``violations(root)`` returns a line ``path:line: what is wrong`` for each violation.
"""
