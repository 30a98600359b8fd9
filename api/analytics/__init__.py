"""Analytics: what an account holds, what happened, what to do about it."""
