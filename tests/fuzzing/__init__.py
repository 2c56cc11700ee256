"""Random inputs, guided by the coverage that they reach, for the functions that read text from outside."""
