"""The HTTP door: one room per customer noun."""
