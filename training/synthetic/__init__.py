"""Procedural pictures and named edits of pictures: data of known truth."""

from training.synthetic.edits import EDITS, random_stack
from training.synthetic.pictures import FAMILIES, family_of, picture

__all__ = ["EDITS", "FAMILIES", "family_of", "picture", "random_stack"]
