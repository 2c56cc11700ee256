"""What an import would do: all rows of a file without writing any profile, or the first rows alone."""
