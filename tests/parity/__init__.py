"""Our networks against recordings of the published code.

`models.py` has the description of each recorded model, `recordings.py` reads the
recordings and makes their weights and inputs, `runs.py` runs our networks and compares. A new model
is one line in `models.py` and `make parity GOLDEN=FOLDER ARGS=--write`, which prints the table too.
"""
