"""Looking at a dataset before anything is trained on it: what is wrong with it, and what it looks like."""
