"""Versions: candidates become registered versions, and a gate decides what is in Production."""
