"""The pages of recordings and datasets: look up, authorise, call a service, respond."""
