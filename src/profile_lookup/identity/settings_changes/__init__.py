"""What other settings mean for stored values: new forms, profiles that become one, and what would be refused."""
