"""Ways of answering a group."""
