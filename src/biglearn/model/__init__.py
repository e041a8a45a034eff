"""The mathematics of mixtures: components, views, moments, constraints."""
