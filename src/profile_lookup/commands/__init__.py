"""What `profile-lookup` can be told to do: arguments in, plain lines out."""
