"""Weights and configurations of the models that ship with the package."""
