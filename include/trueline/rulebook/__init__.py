"""The rulebook: the two YAML files that decide every number after the raw layer."""

from trueline.rulebook.book import Rulebook, load_rulebook

__all__ = ["Rulebook", "load_rulebook"]
