"""The text stage: reading the words of scripts, and the passages that two of them share."""
