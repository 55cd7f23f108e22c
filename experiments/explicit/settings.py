"""The settings of spaces, chosen on validation: one for each task, the same for both heads."""
