"""What stands around every command of any package: its help, its first moments, its text."""
