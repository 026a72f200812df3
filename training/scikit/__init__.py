"""What the families of scikit-learn share."""
