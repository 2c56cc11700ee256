"""What wraps every request: its ID and common headers, allowed hosts, load limits, and bodies that nobody reads."""
