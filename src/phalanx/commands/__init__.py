"""What people type, one file a command: the only room that knows all the others."""
