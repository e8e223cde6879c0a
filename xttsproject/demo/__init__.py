"""The demo: a recording made on the spot, and the main job sent through the running portal."""
