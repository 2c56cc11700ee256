"""The main job: to find the profiles that an identifier names."""
