"""Anomaly segmentation in brain MRI with spatial erasing (Bengs, Behrendt et al., IJCARS 2021)."""

__version__ = "0.1.0"
