"""Measures the speed of the product and compares it with peers: `python3 run.py bench`."""
