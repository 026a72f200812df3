"""The registry followed by one process: its versions as a state, their graphs as a local copy."""
