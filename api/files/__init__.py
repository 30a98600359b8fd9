"""Files: listed, looked at, changed, downloaded, trashed and restored."""
