"""From a text to trained weights."""
