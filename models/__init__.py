"""Nouns: pure (`domain`), stored (`tables`), learned (`ai`), and the shape of the settings."""
