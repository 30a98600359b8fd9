"""Search: files by words and by meaning."""
