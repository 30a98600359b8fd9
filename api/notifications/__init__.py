"""Notifications: what people are told and how; feedback."""
