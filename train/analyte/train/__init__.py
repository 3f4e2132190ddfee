"""From photographs of known value to a run folder: datasets, recipes, fitting, evaluation."""
