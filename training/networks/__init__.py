"""What the families of Keras networks share."""
