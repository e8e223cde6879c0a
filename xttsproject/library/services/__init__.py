"""Changes to the models of this installation."""
