"""Device profiles and the machine beneath them: what is shipped, what is missing, what is fastest."""
