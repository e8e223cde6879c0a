"""Who may do what: users, API tokens, ownership and sharing."""
