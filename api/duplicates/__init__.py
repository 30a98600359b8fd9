"""Duplicates: groups of equal or similar files, and what becomes of them."""
