"""REST answers of every registered model and stage."""
