"""Rules that must hold for any input, found by hypothesis."""
