"""The machine and its files: what is beneath every room."""
