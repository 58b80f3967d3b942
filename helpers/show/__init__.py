"""What is looked at: figures, explorables, the race, the lab and the map of where growing pays."""
