"""The models of this installation: what there is, what uses it, bringing more in. It knows all apps that use models."""
