"""What the queue calls for this app."""
