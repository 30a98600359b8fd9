"""How well files are found: queries with known answers."""
