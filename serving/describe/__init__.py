"""What the server tells of itself: what is live, how it is asked, and whether it is well."""
