"""The world: who visited, who submitted, what sales said, and what the platforms claim."""

from sandbox.world.model import CrmContact, Deal, Lead, Person, TagEvent, Touch
from sandbox.world.world import World

__all__ = ["CrmContact", "Deal", "Lead", "Person", "TagEvent", "Touch", "World"]
