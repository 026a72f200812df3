"""Request bodies of each protocol as a graph's inputs, and its outputs as answers."""
