"""Connections: folders and buckets that accounts connect."""
