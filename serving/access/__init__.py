"""Who may ask, how much, and what is kept of it."""
