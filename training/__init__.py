"""From a frozen dataset version to checkpoints of a fine-tuned voice."""
