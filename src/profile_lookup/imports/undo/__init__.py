"""An import is cancelled, or undone: see docs/imports.md, and docs/decisions/0055-undo-of-imports.md."""
