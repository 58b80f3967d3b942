"""What is recorded: the studies of growth, and what runs and reads them; `python -m helpers.study` is the command."""
