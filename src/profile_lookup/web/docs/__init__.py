"""The pages below `/docs`."""
