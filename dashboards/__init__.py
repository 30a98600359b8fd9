"""Pages for people: `analytics` shows the warehouse."""
