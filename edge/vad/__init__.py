"""The gate: finds speech in a stream of sound, at next to no cost while nobody speaks."""
