"""What a user may set, and what follows from it."""
