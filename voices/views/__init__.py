"""The pages of voices and speech: look up, authorise, call a service, respond."""
