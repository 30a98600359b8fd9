"""What every room of the API stands on: transactions, principals, problems, pages."""
