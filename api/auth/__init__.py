"""Signing in: registration, sessions, passwords, second factors."""
