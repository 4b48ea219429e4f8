"""What the text stage keeps of scripts, and how it finds where two of them may agree."""
