"""Development tasks, which `run.py` and the workflows start."""
