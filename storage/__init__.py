"""The only door to customers' bytes."""
