"""How the embedding model that ships with the package was trained and measured."""
