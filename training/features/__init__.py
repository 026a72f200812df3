"""Raw columns as features: in NumPy and scikit-learn, and the same in ONNX."""
