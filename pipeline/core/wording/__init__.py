"""How things are put for people: hidden characters made visible, bands and counts in words,
sentences, CSV without formulas, templates of pages."""
