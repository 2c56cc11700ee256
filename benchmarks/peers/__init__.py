"""The others: each as its own community would write it, with the same answers from the same tables."""
