"""The folder that a training leaves, and opening it again."""
