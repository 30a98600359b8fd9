"""Manifest: what a storage root holds, and what of it changed since its last index."""
