"""The pages of runs and what is heard of them: look up, authorise, call a service, respond."""
