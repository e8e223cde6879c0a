"""What the app does that spans rows, files or a model: one module for each stage of a recording's way."""
