"""What happened to profiles, why they are one person, and how that is undone."""
