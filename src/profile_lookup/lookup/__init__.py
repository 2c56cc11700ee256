"""The main job: which profiles does this identifier name?"""
