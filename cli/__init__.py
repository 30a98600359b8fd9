"""The `fileorganizer` command."""
