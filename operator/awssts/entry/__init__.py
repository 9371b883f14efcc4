"""What starts the program: kopf handlers and the command line."""
