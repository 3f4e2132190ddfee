"""Layers that training needs and the saved model does not: `analyte.train.folding` makes them stock ones."""
