"""Models that analyte did not train: from any Keras regressor and labelled pictures to a run folder."""
