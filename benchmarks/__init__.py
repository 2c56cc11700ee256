"""How fast is it, and against whom? `python3 run.py bench`."""
