"""A nation's day at the bank while its hosts are killed: `python -m sim.soak`.

Several hosts on one PostgreSQL take the batches of thousands of terminals. Now and then
one of them is killed and started again; its calls break off, and the terminals go on
with another host. Some payments are only received at first, and posted later by
whichever host gets to it. At the end the books are held against what the terminals
were told, counted apart from the bank.
"""
