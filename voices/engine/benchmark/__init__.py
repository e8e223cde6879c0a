"""How fast speech is, beside Coqui's own code with the same weights in the same process."""
