"""What a person types: the main job, the UI, a look at the state. Stands on everything else; nothing imports it."""
