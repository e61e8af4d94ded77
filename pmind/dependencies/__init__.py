"""Which question of a group needs another's answer: proposed, weighed, layered, timed and drawn."""
