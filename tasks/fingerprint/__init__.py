"""Fingerprint: one read of a file gives its hashes, type, media facts and thumbnail."""
