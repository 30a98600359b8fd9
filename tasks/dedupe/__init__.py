"""Dedupe: groups of files with one content, and which member stays."""
