"""All that a language model can be asked."""
