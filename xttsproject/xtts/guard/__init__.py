"""The guard: every spoken sentence is judged, and what is bad is said again, cut, or delivered with a warning.

Loads no ML library: it looks at codes and sound alone (see ``docs/SPEECH.md``).
"""
