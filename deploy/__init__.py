"""What runs the product: the embedded stack and deployment recipes."""
