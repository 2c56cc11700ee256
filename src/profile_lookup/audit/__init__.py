"""The audit log: who called which operation, and which profiles came out or changed. It never holds a value."""
