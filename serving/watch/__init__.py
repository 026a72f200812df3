"""What the server tells of itself: counts, times, logs."""
