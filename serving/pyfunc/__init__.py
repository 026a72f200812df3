"""Models that are no graphs of this project, each behind MLflow's own scoring application in a process of its own."""
