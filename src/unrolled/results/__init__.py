"""What is measured, as values that no presenter owns."""
