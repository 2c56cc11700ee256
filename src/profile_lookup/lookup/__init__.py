"""The service's main job: it finds the profiles that an identifier names."""
