"""Verify: read everything again and compare with what was recorded (bit rot)."""
