"""The scan cache: results that are used again for unchanged files (state.sqlite)."""
