"""What-if: what several policies would do to a root, before any plan exists."""
