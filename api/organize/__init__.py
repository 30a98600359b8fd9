"""Organize: jobs, previews, rules and schedules."""
