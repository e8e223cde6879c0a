"""Small models made by this project, so that every path runs in seconds on any machine."""

TINY_XTTS = "tiny"
TINY_WHISPER = "tiny-whisper"
"""Folder names below the models folder."""
