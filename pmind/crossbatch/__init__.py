"""Siblings of a group exchange information while they answer: a module between two layers of any model."""
