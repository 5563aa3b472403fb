"""The nouns of the product. Pure: no clock, no chance, no disk, no network."""
