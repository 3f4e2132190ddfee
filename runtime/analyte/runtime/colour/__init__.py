"""Between the light of today and the light of the training pictures."""
