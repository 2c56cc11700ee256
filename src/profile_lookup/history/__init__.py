"""What happened to profiles: their events, why they are one person, and the feed of a store."""
