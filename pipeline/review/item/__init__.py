"""What the page of one item shows: its evidence, pictures, texts and history."""
