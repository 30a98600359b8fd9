"""Learned models behind one port (a later part; this room is its door)."""
