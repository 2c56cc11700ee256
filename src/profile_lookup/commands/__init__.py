"""The commands of `profile-lookup`: each reads its arguments and prints plain lines."""
