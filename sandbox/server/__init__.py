"""The platforms' HTTP APIs over one world, as strict as the originals."""
