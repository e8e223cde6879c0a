"""Long work: the durable job, who may run it, how it is followed, cancelled and saved from a dead worker."""
