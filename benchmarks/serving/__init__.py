"""This server, `mlflow models serve` and a naive design, measured side by side."""
