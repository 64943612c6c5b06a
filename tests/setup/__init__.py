"""`pgpool-recovery setup` on a running stock cluster, as a stranger has it.

`stock.py` builds that cluster by the steps of Pgpool-II's manual; `trace.py` compares hosts before
and after.
"""
